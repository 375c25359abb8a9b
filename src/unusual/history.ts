import type { Limits } from '../mail/limits'
import type { OwnedRow } from '../reporting/foreign'
import type { HeaderFrom } from '../reporting/header-from'
import type { DatedRow, HourReport } from '../reporting/reader'
import type { Connector } from '../mail/tenant'

/** The mail of a tenant, as far as the rules look back. All times are ms of Redis's clock. */
export interface History {
  readonly tenant: string
  readonly now: number
  /** The history is complete from this time on. */
  readonly knownSince: number
  /** Totals of hours with mail, oldest first: the last 24 hours, and those that the rules compare them with. */
  readonly hours: readonly HourReport[]
  /** Hourly rows of unregistered mail in the last 24 hours, see {@link lastDay}. */
  readonly rows: readonly DatedRow[]
  /** Hourly rows of the seven days before; empty if no rule needs them. */
  readonly rowsBefore: readonly DatedRow[]
  /** Daily rows of the last {@link SOURCE_DAYS} days and of today; empty if no rule needs them. */
  readonly dayRows: readonly DatedRow[]
  /** Start of an hour → estimated number of distinct domains in `(other)`. */
  readonly otherDomains: ReadonlyMap<number, number>
  /** The connectors in `rows`. */
  readonly connectors: readonly Connector[]
  /** Foreign domains of yesterday and today, the most recipients first; empty if no rule needs them. */
  readonly foreign: readonly OwnedRow[]
  /** Mismatched header Froms of yesterday and today, the most messages first; empty if no rule needs them. */
  readonly headerFrom: HeaderFrom['domains']
  /** The same for mail of the null sender. */
  readonly nullHeaderFrom: HeaderFrom['domains']
  /** Times of recent restrictions. */
  readonly restrictedAt: readonly number[]
  /** Limits of unregistered mail. */
  readonly limits: Limits
}

/** A source not seen for this many days is new. */
export const SOURCE_DAYS = 30
