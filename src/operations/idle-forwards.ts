import { setTimeout as sleep } from 'node:timers/promises'
import { count } from '../base/count'
import { METERS, PROVEN_METER } from '../mail/meters'
import { TenantRegistry } from '../registry/tenant-registry'
import type { Store } from '../store/store'

/** Tenants that are named; there may be many. */
const NAMED = 5

/** What to do about it. */
export const IDLE_FORWARDS_ADVICE =
  'set [forwarded] enabled=true on all hosts and restart Haraka, or take the allowance from each (tenantctl tenant set TENANT --forwarded-limits default)'

/**
 * Ids of all tenants with an allowance for forwards, sorted. Reads one field of each tenant.
 *
 * @param pause after each batch of a thousand tenants, in ms.
 */
export async function tenantsWithForwards(store: Store, pause = 0): Promise<string[]> {
  const found: string[] = []
  for await (const batch of new TenantRegistry(store).having(METERS[PROVEN_METER].limitsField)) {
    found.push(...batch.map(({ id }) => id))
    if (pause > 0) await sleep(pause, undefined, { ref: false })
  }
  // A set that changes meanwhile may give a member twice.
  return [...new Set(found)].sort()
}

/** `2 tenants have an allowance for forwards without effect, …: lakeside, oak` */
export function idleForwardsInWords(tenants: readonly string[]): string {
  const names = tenants.slice(0, NAMED).join(', ')
  const more = tenants.length > NAMED ? ` and ${tenants.length - NAMED} more` : ''
  return `[forwarded] enabled=false, but ${count(tenants.length, 'tenant')} ${tenants.length === 1 ? 'has' : 'have'} an allowance for forwards: it has no effect, and forwards count as unregistered mail (${names}${more})`
}
