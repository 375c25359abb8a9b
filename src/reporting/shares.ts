import { connectorName } from '../mail/identities'
import { clean } from '../base/safe-text'
import { CLASSES } from '../mail/classes'
import { USUAL_METER, type Meter } from '../mail/meters'
import type { Counts } from './counts'
import type { MinuteRow } from './minutes'
import type { DatedRow, ReportReader } from './reader'
import { OTHER, type Source } from './rows'
import { attempts, sumBy, total } from './sum'

/** Shares that a line names. */
const MOST_NAMED = 3

/** What a connector, domain, address or user has of a tenant's mail. Deferred recipients are left out: they come again. */
export interface Share {
  /** A connector as `tenant/name`; empty: none; {@link OTHER}: those without a row of their own. */
  readonly value: string
  readonly messages: number
  readonly recipients: number
  /** Of the recipients of all; 0 to 1. */
  readonly share: number
}

/** A connector's share, and beside it the mail that passes whatever the allowance. */
export type ConnectorShare = Share & { readonly registered: Counts }

/** Shares of each kind: the most recipients first, `(other)` last. */
export interface Shares extends Readonly<
  Record<Exclude<keyof Source, 'connector'>, readonly Share[]>
> {
  readonly connector: readonly ConnectorShare[]
  /** Messages and recipients of all. */
  readonly messages: number
  readonly recipients: number
}

/**
 * The shares of the mail in rows.
 *
 * @param minutes of the same time, for the registered mail of connectors.
 */
export function sharesOf(rows: readonly DatedRow[], minutes: readonly MinuteRow[] = []): Shares {
  const registered = minutes.filter((each) => CLASSES[each.class].passes)
  const all = sizeOf(total(rows))
  return {
    ...all,
    domain: sharesBy(rows, 'domain'),
    connector: sharesBy(rows, 'connector').map((each) => ({
      ...each,
      registered: total(registered.filter(({ connector }) => connector === each.value)),
    })),
    ip: sharesBy(rows, 'ip'),
    user: sharesBy(rows, 'user'),
  }
}

/**
 * Reads the shares of the mail that a meter counts, in whole hours. Of registered mail only the minutes of the span that are
 * kept are known: two hours.
 *
 * @param from ms of Redis's clock: `from` ≤ t < `to`.
 */
export async function readShares(
  reader: ReportReader,
  tenant: string,
  from: number,
  to: number,
  meter: Meter = USUAL_METER,
): Promise<Shares> {
  const rows = await reader.rows(tenant, from, to, 'hour')
  const minutes = await reader.minutes(tenant, from, to)
  return sharesOf(
    rows.filter((row) => CLASSES[row.class].meter === meter),
    minutes,
  )
}

/**
 * The first three shares of a kind in one line, messages/recipients: `web 59/293; exchange 7/7; 2 more`. Empty: there are none.
 *
 * @param kind connectors are named without their tenant.
 */
export function sharesText(shares: Shares, kind: keyof Source): string {
  const known: readonly Share[] = shares[kind]
  const first = known
    .slice(0, MOST_NAMED)
    .map(({ value, messages, recipients }) => `${nameOf(value, kind)} ${messages}/${recipients}`)
  const more = known.length - MOST_NAMED
  return [...first, ...(more > 0 ? [`${more} more`] : [])].join('; ')
}

function sharesBy(rows: readonly DatedRow[], kind: keyof Source): Share[] {
  const sums = sumBy(rows, kind).map(({ key, counts }) => ({ value: key, ...sizeOf(counts) }))
  const all = sums.reduce((sum, { recipients }) => sum + recipients, 0)
  const isOther = ({ value }: { value: string }): number => Number(value === OTHER)
  return sums
    .filter(({ recipients }) => recipients > 0)
    .map((sum) => ({ ...sum, share: sum.recipients / all }))
    .sort((a, b) => isOther(a) - isOther(b) || b.recipients - a.recipients)
}

/** Messages and recipients, without deferred ones. */
export function sizeOf(counts: Counts): { messages: number; recipients: number } {
  const { accepted, refused, refunded } = counts.messages
  return { messages: accepted + refused + refunded, recipients: attempts(counts) }
}

function nameOf(value: string, kind: keyof Source): string {
  if (value === '') return '(none)'
  return clean(kind === 'connector' ? connectorName(value) : value)
}
