import { grouped } from '../base/lists'
import { isoTime } from '../base/time'
import type { AuditEntry } from '../records/audit-entry'
import type { Store } from '../store/store'
import { readTenantAudit } from './reader'

const MOST_CHANGES = 3

/**
 * What was changed of these tenants since then, by whom, in words; what most of them have in common first.
 *
 * @param since ms since the epoch.
 */
export async function changedSince(
  store: Store,
  tenants: readonly string[],
  since: number,
): Promise<string[]> {
  const trails = await Promise.all(tenants.map((tenant) => readTenantAudit(store, tenant, since)))
  const changes = trails.flat().filter(({ what }) => /^(tenant|domains|connector) /.test(what))
  return grouped(changes, ({ what, to, os, note }) => `${what}\t${to}\t${note || os}`)
    .map(([, same]) => same)
    .sort((a, b) => b.length - a.length || b.at(-1)!.at - a.at(-1)!.at)
    .slice(0, MOST_CHANGES)
    .map((same) => words(same, tenants.length))
}

function words(same: readonly AuditEntry[], tenants: number): string {
  const { what, to, at, os, note } = same.at(-1)!
  const change = to === '' ? what : `${what} to ${to}`
  return `${change} at ${isoTime(at).slice(11, 16)} by ${note || os} (${same.length} of ${tenants})`
}
