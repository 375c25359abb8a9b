import type { Command } from 'commander'
import { METER_NAMES, METERS, PROVEN_METER, separated } from '../../mail/meters'
import { MODES } from '../../mail/mode'
import {
  assertForwardsCount,
  contactWarnings,
  FORWARDS_OFF,
  LIMITS_FIELDS,
  type SettingsText,
} from '../../operations/tenant-settings'
import type { TenantSettings } from '../../registry/tenant-registry'
import type { Store } from '../../store/store'
import type { Context } from '../kit/context'

export const LIMITS_OPTIONS = LIMITS_FIELDS.map((field) => `--${separated(field, '-')}`).join(', ')

/** The options of {@link withSettings}. */
export interface SettingsOptions extends SettingsText {
  readonly force?: boolean
}

/** Adds an option for each setting of a tenant. */
export function withSettings(command: Command): Command {
  command.option('--name <text>', 'what people call it (else its id)')
  for (const meter of METER_NAMES) {
    const { limitsField, words } = METERS[meter]
    command.option(`--${separated(limitsField, '-')} <list>`, words.option)
  }
  return command
    .option('--mode <mode>', MODES.join(', '))
    .option('--contact <address>', 'who gets mail when it is warned, restricted, unblocked')
    .option('--force', `even an allowance for forwards that has no effect: ${FORWARDS_OFF}`)
}

/** Why such an allowance is refused without `--force`, for the exit status 4. */
export const IDLE_FORWARDS = `${FORWARDS_OFF}, so an allowance for forwards would have no effect (--force sets it)`

/**
 * To be called before anything is written.
 *
 * @throws {RefusedError} an allowance for forwards would have no effect, by the ini file that this command reads.
 * @throws {FileMistakes} that has a mistake in `[forwarded]`.
 */
export function checkForwards(context: Context, settings: TenantSettings, force = false): void {
  if (!settings[METERS[PROVEN_METER].limitsField]) return
  const { configDirectory: directory } = context
  const where =
    directory === undefined ? 'is the default, and there is no --config' : `in ${directory}`
  const orElse = '--force sets the allowance all the same'
  const { forwarded } = context.needed('forwarded')
  const warning = assertForwardsCount(settings, forwarded, { force, where, orElse })
  if (warning) context.note(warning)
}

/** Warns where mail to the contact may never arrive. */
export async function warnOfContact(
  context: Context,
  store: Store,
  id: string,
  settings: TenantSettings,
): Promise<void> {
  if (!settings.contact) return
  const warnings = await contactWarnings(store, id, settings, context.config().alerts)
  for (const { message, advice } of warnings) context.note(`${message}; ${advice}`)
}
