import type { Limits } from '../mail/limits'
import type { OwnedRow } from '../reporting/foreign'
import type { HeaderFrom } from '../reporting/header-from'
import type { DatedRow, HourReport } from '../reporting/reader'
import type { Connector } from '../mail/tenant'

/** What a tenant has sent, as far as the rules look back. All times are ms of Redis's clock. */
export interface History {
  readonly tenant: string
  readonly now: number
  /** From when on all that the tenant sent is in here. */
  readonly knownSince: number
  /** Totals of the hours that have any, oldest first: of the last 24 hours, and of what the rules compare them with. */
  readonly hours: readonly HourReport[]
  /** Rows by hour of the last 24 hours, see {@link lastDay}: of what is unregistered, and no proven forward. */
  readonly rows: readonly DatedRow[]
  /** Rows by hour of the seven days before; empty where no rule needs them. */
  readonly rowsBefore: readonly DatedRow[]
  /** Rows by day of the last {@link SOURCE_DAYS} days and of today; empty where no rule needs them. */
  readonly dayRows: readonly DatedRow[]
  /** Start of an hour → about how many distinct domains are behind `(other)`. */
  readonly otherDomains: ReadonlyMap<number, number>
  /** The connectors that the rows of the last 24 hours name. */
  readonly connectors: readonly Connector[]
  /** Foreign domains of yesterday and today, the most recipients first; empty where no rule needs them. */
  readonly foreign: readonly OwnedRow[]
  /** Domains in the header From of yesterday and today that are no accepted ones, the most messages first; alike. */
  readonly headerFrom: HeaderFrom['domains']
  /** The same of the null sender's mail. */
  readonly nullHeaderFrom: HeaderFrom['domains']
  /** When the tenant was restricted, as far as that is not long ago. */
  readonly restrictedAt: readonly number[]
  /** Of unregistered mail. */
  readonly limits: Limits
}

/** A source that nobody saw for so many days is new. */
export const SOURCE_DAYS = 30
