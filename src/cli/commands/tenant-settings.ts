import type { Command } from 'commander'
import { NO_MAIL, ownContactWarning } from '../../alerts/contact'
import { RefusedError } from '../../base/errors'
import { METER_NAMES, METERS, PROVEN_METER, separated, type LimitsField } from '../../mail/meters'
import { MODES, type Mode } from '../../mail/mode'
import { normalizeSettings, type TenantSettings } from '../../registry/tenant-registry'
import type { Store } from '../../store/store'
import type { Context } from '../kit/context'

const LIMITS_FIELDS = METER_NAMES.map((meter) => METERS[meter].limitsField)
export const LIMITS_OPTIONS = LIMITS_FIELDS.map((field) => `--${separated(field, '-')}`).join(', ')

/** The options of {@link withSettings}. */
export interface SettingsOptions extends Partial<Record<LimitsField, string>> {
  readonly name?: string
  readonly mode?: string
  readonly contact?: string
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
    .option('--force', `even an allowance for forwards that has no effect: ${OFF}`)
}

/** What keeps the allowance for forwards from having an effect. */
const OFF = '[forwarded] enabled=false'
/** Why such an allowance is refused without `--force`, for the exit status 4. */
export const IDLE_FORWARDS = `${OFF}, so an allowance for forwards would have no effect (--force sets it)`

/**
 * To be called before anything is written.
 *
 * @throws {RefusedError} an allowance for forwards would have no effect, by the ini file that this command reads.
 * @throws {FileMistakes} that has a mistake in `[forwarded]`.
 */
export function assertForwardsCount(
  context: Context,
  settings: TenantSettings,
  force = false,
): void {
  if (!settings[METERS[PROVEN_METER].limitsField]) return
  if (context.needed('forwarded').forwarded.enabled) return
  const { configDirectory: directory } = context
  const where =
    directory === undefined ? 'is the default, and there is no --config' : `in ${directory}`
  const effect = `${OFF} (${where}): an allowance for forwards has no effect, and forwards count as unregistered mail`
  if (force) return context.note(effect)
  throw new RefusedError(
    `${effect}. Set it to true on all hosts, and restart Haraka; or --force sets the allowance all the same`,
  )
}

/** Warns where mail to the contact may never arrive. */
export async function warnOfContact(
  context: Context,
  store: Store,
  id: string,
  { contact }: TenantSettings,
): Promise<void> {
  if (!contact) return
  const warning = await ownContactWarning(store, id, contact)
  if (warning) context.note(`${warning.message}; ${warning.advice}`)
  const { alerts } = context.config()
  if (alerts.mailTo.length === 0) context.note(`${NO_MAIL.message}; ${NO_MAIL.advice}`)
}

/**
 * The settings that were given; `default` sets the default.
 *
 * @throws {InputError}
 */
export function settingsOf({ name, mode, contact, ...limits }: SettingsOptions): TenantSettings {
  const own = LIMITS_FIELDS.map((field) => [field, orDefault(limits[field])])
  return normalizeSettings({
    name,
    ...(Object.fromEntries(own) as Pick<TenantSettings, LimitsField>),
    // Checked there, like all limits.
    mode: orDefault(mode) as Mode | null | undefined,
    contact: orDefault(contact),
  })
}

function orDefault(text: string | undefined): string | null | undefined {
  return text?.trim() === 'default' ? null : text
}
