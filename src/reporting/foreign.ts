import { unpackCounts, type Counts } from './counts'
import { grouped } from '../base/lists'
import type { ReportReader } from './reader'
import { readOwned, type Owned } from './rows'
import { byRecipients, total } from './sum'

/** Mail from a domain that another tenant owned then. */
export type OwnedRow = Owned & { readonly counts: Counts }

/**
 * The foreign domains of a tenant with their owners, in all days that overlap the span: the most recipients first, then
 * `(other)` for those beyond `MOST_OWNED` a day.
 */
export async function readForeign(
  reader: ReportReader,
  tenant: string,
  from: number,
  to: number,
): Promise<OwnedRow[]> {
  const rows = await reader.dayFields(tenant, from, to, (field, value) => {
    const owned = readOwned(field)
    return owned && { ...owned, counts: unpackCounts(value) }
  })
  return grouped(rows, ({ domain, owner }) => `${domain}\t${owner}`)
    .map(([, some]) => ({ key: some[0]!.domain, ...some[0]!, counts: total(some) }))
    .sort(byRecipients)
    .map(({ domain, owner, counts }) => ({ domain, owner, counts }))
}
