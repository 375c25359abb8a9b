import { HeldContacts, type Decision, type HeldContact } from '../alerts/held-contacts'
import { mapLimited } from '../base/limiter'
import { addEntry } from '../records/audit-trail'
import type { Store } from '../store/store'

const AT_ONCE = 32

/**
 * Decides whether these contacts get the mail about the restriction of their tenants, one of many; the audit trail of each
 * tenant says so.
 *
 * @param held as they were listed: what came since waits on.
 * @returns those that had not been decided about before.
 */
export async function decideContacts(
  store: Store,
  held: readonly HeldContact[],
  decision: Decision,
): Promise<HeldContact[]> {
  const decided = await new HeldContacts(store).decide(held, decision)
  await mapLimited(decided, AT_ONCE, ({ tenant }) =>
    addEntry(store, store.keys.audit(tenant), {
      ...{ subject: tenant, what: 'mail to contact', from: 'held', to: decision },
    }),
  )
  return decided
}
