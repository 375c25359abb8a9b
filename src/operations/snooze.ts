import { Snoozes, type Snooze } from '../alerts/snoozes'
import { isoTime } from '../base/time'
import { addEntry } from '../records/audit-trail'
import type { Snoozable } from '../records/snooze'
import type { Store } from '../store/store'
import { existingTenant } from './tenants'

/**
 * Snoozes alerts of one kind about a tenant; its audit trail says so.
 *
 * @param span ms
 * @throws {NotFoundError}
 */
export async function snooze(
  store: Store,
  given: Omit<Snooze, 'until'>,
  span: number,
): Promise<Snooze> {
  const { tenant, kind, reason } = given
  await existingTenant(store, tenant)
  const snoozed = await new Snoozes(store).add(given, span)
  const to = `until ${isoTime(snoozed.until)}: ${reason}`
  await addEntry(store, store.keys.audit(tenant), {
    ...{ subject: tenant, what: `${kind} alerts snoozed`, to },
  })
  return snoozed
}

/**
 * Ends snoozes of a tenant early; its audit trail says so.
 *
 * @param kinds absent: all.
 * @returns those that were in effect.
 * @throws {NotFoundError}
 */
export async function unsnooze(
  store: Store,
  tenant: string,
  kinds?: readonly Snoozable[],
): Promise<Snooze[]> {
  await existingTenant(store, tenant)
  const ended = await new Snoozes(store).end(tenant, kinds)
  for (const { kind, until } of ended) {
    await addEntry(store, store.keys.audit(tenant), {
      ...{ subject: tenant, what: `${kind} alerts snoozed`, from: `until ${isoTime(until)}` },
    })
  }
  return ended
}
