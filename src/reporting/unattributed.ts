import { mapLimited } from '../base/limiter'
import type { Store } from '../store/store'
import { DAY, numbersBetween } from './calendar'
import { unpackCounts, type Counts } from './counts'
import { grouped } from '../base/lists'
import { countDistinct } from './reader'
import { OTHER, readUnattributed, type UnattributedSource } from './rows'
import { recipients, total } from './sum'

/** Days read at a time, of up to 1,000 rows each. */
const BATCH = 8

/** Mail without a tenant from one source. */
export type UnattributedRow = UnattributedSource & { readonly counts: Counts }

/** Mail without a tenant. */
export interface Unattributed {
  /** The most recipients first, `(other)` last. */
  readonly rows: readonly UnattributedRow[]
  /** Estimated number of sources in `(other)`. */
  readonly others: number
}

/** Reads mail without a tenant in the days that overlap `from` ≤ t < `to`, in ms. */
export async function readUnattributedMail(
  store: Store,
  from: number,
  to: number,
): Promise<Unattributed> {
  const { client, keys } = store
  const reports = numbersBetween(from, to, DAY).map((day) => keys.unattributedDay(day))
  const days = await mapLimited(reports, BATCH, (report) => client.hgetall(report))
  const rows = grouped(
    days.flatMap((day) => Object.entries(day)),
    ([field]) => field,
  ).map(([field, values]) => ({
    ...readUnattributed(field),
    counts: total(values.map(([, value]) => ({ counts: unpackCounts(value) }))),
  }))
  const isOther = ({ ip }: UnattributedRow): number => Number(ip === OTHER)
  return {
    rows: rows.sort(
      (a, b) => isOther(a) - isOther(b) || recipients(b.counts) - recipients(a.counts),
    ),
    others: await countDistinct(
      store,
      reports.map((report) => keys.reportOthers(report)),
    ),
  }
}
