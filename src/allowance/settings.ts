import { InputError } from '../base/errors'
import { section, site, type SettingsOf } from '../config/section'
import { integer, list, text } from '../config/values'
import { parseLimits } from '../mail/limits'
import type { MainSettings } from '../mail/settings'
import type { ForwardedSettings } from '../message/settings'

const limits = site((value) => parseLimits(text(value)), '300/1h, 1500/1d')

export const ALLOWANCE = section('allowance', {
  limits,
  /** Percentages of a limit, ascending. */
  warnAt: site(percentages, '50, 80, 95'),
})

export const NULL = section('null', { limits })

/** The sections that decide what a tenant may send. */
export interface AllowanceSettings {
  readonly main: MainSettings
  readonly allowance: SettingsOf<typeof ALLOWANCE>
  readonly null: SettingsOf<typeof NULL>
  readonly forwarded: ForwardedSettings
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
