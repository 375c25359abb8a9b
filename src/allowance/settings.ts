import { InputError } from '../base/errors'
import { section, site, type Section, type SettingsOf } from '../config/section'
import { integer, list, text } from '../config/values'
import { parseLimits, type Limits } from '../mail/limits'
import { METER_SECTIONS, METERS, USUAL_METER, type MeterSections } from '../mail/meters'
import type { MainSettings } from '../mail/settings'
import type { ForwardedSettings } from '../message/settings'

/** Of each meter that tenants have without limits of their own, the section with those that apply to them. */
export const METER_LIMITS = Object.fromEntries(
  METER_SECTIONS.map((ini) => [ini.section, section(ini.section, { limits: limitsIn(ini) })]),
) as { readonly [S in keyof MeterSections]: Section<MeterSections[S]> }

export const ALLOWANCE = section('allowance', {
  limits: limitsIn(METERS[USUAL_METER].ini!),
  /** Percentages of a limit, ascending. */
  warnAt: site(percentages, '50, 80, 95'),
})

/** The sections that decide what a tenant may send. */
export interface AllowanceSettings extends MeterSections {
  readonly main: MainSettings
  readonly allowance: SettingsOf<typeof ALLOWANCE>
  readonly forwarded: ForwardedSettings
}

function limitsIn({ limits }: { readonly limits: string }): ReturnType<typeof site<Limits>> {
  return site((value) => parseLimits(text(value)), limits)
}

function percentages(value: unknown): number[] {
  return list(value)
    .map(percentage)
    .sort((a, b) => a - b)
}

function percentage(part: string): number {
  try {
    return integer(1, 100)(part)
  } catch {
    throw new InputError(
      `"${part}" is not a whole number from 1 to 100: write percentages with commas between them, such as 50, 80`,
    )
  }
}
