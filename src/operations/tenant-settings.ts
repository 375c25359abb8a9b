import { NO_MAIL, ownContactWarning } from '../alerts/contact'
import type { Advice } from '../alerts/settings'
import { RefusedError } from '../base/errors'
import { METER_NAMES, METERS, PROVEN_METER, type LimitsField } from '../mail/meters'
import type { Mode } from '../mail/mode'
import { normalizeSettings, type TenantSettings } from '../registry/tenant-registry'
import type { Store } from '../store/store'

export const LIMITS_FIELDS = METER_NAMES.map((meter) => METERS[meter].limitsField)

/** Settings of a tenant as a person types them; `default` goes back to the default. */
export interface SettingsText extends Readonly<Partial<Record<LimitsField, string>>> {
  readonly name?: string
  readonly mode?: string
  readonly contact?: string
}

/**
 * The settings that were given.
 *
 * @throws {InputError}
 */
export function settingsOf({ name, mode, contact, ...limits }: SettingsText): TenantSettings {
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

/** What keeps the allowance for forwards from having an effect. */
export const FORWARDS_OFF = '[forwarded] enabled=false'

/**
 * Where an allowance for forwards would have no effect. To be called before anything is written.
 *
 * @param where that setting is made, for people.
 * @param orElse what else a person can do, for the message.
 * @returns a warning, with `force`; `undefined`: nothing is wrong.
 * @throws {RefusedError} it would have none.
 */
export function assertForwardsCount(
  settings: TenantSettings,
  { enabled }: { readonly enabled: boolean },
  { force, where, orElse }: Readonly<{ force: boolean; where: string; orElse: string }>,
): string | undefined {
  if (!settings[METERS[PROVEN_METER].limitsField] || enabled) return undefined
  const effect = `${FORWARDS_OFF} (${where}): an allowance for forwards has no effect, and forwards count as unregistered mail`
  if (force) return effect
  throw new RefusedError(`${effect}. Set it to true on all hosts, and restart Haraka; or ${orElse}`)
}

/** Why mail to the contact of a tenant may never arrive, or not only reach the contact. */
export async function contactWarnings(
  store: Store,
  id: string,
  { contact }: TenantSettings,
  { mailTo }: { readonly mailTo: readonly unknown[] },
): Promise<Advice[]> {
  if (!contact) return []
  const warning = await ownContactWarning(store, id, contact)
  return [...(warning ? [warning] : []), ...(mailTo.length === 0 ? [NO_MAIL] : [])]
}
