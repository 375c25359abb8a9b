import { parseLimits } from '../../src/mail/limits'
import { DAY, HOUR, startOf } from '../../src/reporting/calendar'
import { addCounts, NOTHING, type Counts } from '../../src/reporting/counts'
import { grouped } from '../../src/base/lists'
import type { DatedRow, HourReport } from '../../src/reporting/reader'
import {
  lookedField,
  readHeaderFrom,
  readOwned,
  totalField,
  type Source,
} from '../../src/reporting/rows'
import { byRecipients } from '../../src/reporting/sum'
import type { KnownClass } from '../../src/mail/classes'
import type { Store } from '../../src/store/store'
import { connectorId } from '../../src/mail/identities'
import { packConnector } from '../../src/registry/formats'
import type { Registries } from '../support/registries'
import type { Connector } from '../../src/mail/tenant'
import type { History } from '../../src/unusual/history'
import { lastDay } from '../../src/unusual/span'
import { NOON } from '../support/clock'
import {
  countsOf,
  isSourceClass,
  sourceOf,
  type HeaderFromMail,
  type Mail,
} from '../support/reports'
import { headerFromField, ownedField, packCounts, sourceField } from '../support/report-fields'

/** Some afternoon, in ms. */
export const NOW = startOf(NOON, DAY) + 15 * HOUR + 30 * 60_000
export const TODAY = startOf(NOW, DAY)
/** Difference to the present hour, for code that reads Redis's clock. */
export const LATER = startOf(Date.now(), HOUR) - startOf(NOW, HOUR)

/** The mail of a school on a day, from 8 to 17: mostly registered, some forwarded for teachers. */
interface Routine {
  /** Days before today on which it is sent. */
  readonly days: readonly number[]
  readonly registered?: number
  /** Unregistered recipients in each hour, all from other domains. */
  readonly forwarded?: number
  readonly source?: Partial<Source>
}

/** `days(1, 40)`: each of the last forty, yesterday first. */
export function days(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, at) => from + at)
}

/** The mail of a tenant, built mail by mail. */
export class Scenario {
  readonly mails: Mail[] = []
  /** Of registered mail. */
  readonly headerFroms: HeaderFromMail[] = []
  readonly connectors: Connector[] = []
  readonly restrictedAt: number[] = []
  knownSince = NOW - 90 * DAY
  limits = '300/1h, 1500/1d'
  now = NOW

  routine({ days, registered = 40, forwarded = 4, source = {} }: Routine): this {
    for (const day of days) {
      for (let hour = 8; hour < 18; hour++) {
        const at = TODAY - day * DAY + hour * HOUR + 600_000
        if (at >= this.now) continue
        if (registered > 0) this.mails.push({ at, accepted: registered, class: 'registered' })
        for (let each = 0; each < forwarded; each++) {
          const domain = `parent${(day * 10 + hour + each) % 30}.example`
          this.mails.push({ at, accepted: 1, domain, ...source })
        }
      }
    }
    return this
  }

  send(...mails: readonly Mail[]): this {
    this.mails.push(...mails)
    return this
  }

  look(...found: readonly HeaderFromMail[]): this {
    this.headerFroms.push(...found)
    return this
  }

  /** Removes the mail of a span, as an outage does. */
  outage(from: number, to: number): this {
    const kept = this.mails.filter(({ at }) => at < from || at >= to)
    this.mails.splice(0, this.mails.length, ...kept)
    return this
  }

  connector(name: string, times: { addedAt: number; changedAt?: number }): this {
    const identities = { ip: ['192.0.2.1/32'], cert: [], certSha256: [], auth: [] }
    this.connectors.push({
      ...{ tenant: 'contoso', name, ...identities, enabled: true, addedBy: 'ann' },
      ...times,
    })
    return this
  }

  /** The history that a reader of reports makes of it. */
  history(): History {
    const { now, knownSince, connectors, restrictedAt } = this
    const rows = rowsBy(this.mails, HOUR).filter((row) => row.class !== 'forwarded')
    const from = lastDay(now)[0]!
    const since = startOf(from, DAY)
    return {
      ...{ tenant: 'contoso', now, knownSince, connectors, restrictedAt },
      hours: hoursOf(this),
      rows: rows.filter(({ at }) => at >= from),
      rowsBefore: rows.filter(({ at }) => at < from && at >= from - 7 * DAY),
      dayRows: rowsBy(this.mails, DAY).filter((row) => row.class !== 'forwarded'),
      foreign: [...ownedIn(this.mails.filter(({ at }) => at >= since))]
        .map(([field, counts]) => ({ ...readOwned(field)!, counts }))
        .sort((a, b) => byRecipients({ ...a, key: a.domain }, { ...b, key: b.domain })),
      headerFrom: [...mismatchesIn(this.headerFroms.filter(({ at }) => at >= since))]
        .map(([field, messages]) => ({ ...readHeaderFrom(field)!, messages }))
        .sort((a, b) => b.messages - a.messages),
      nullHeaderFrom: [],
      otherDomains: new Map(),
      limits: parseLimits(this.limits),
    }
  }
}

/**
 * Writes the reports of a tenant's mail to Redis, and when its connectors were changed and it was restricted.
 *
 * @param by ms to add to all times.
 */
export async function play(
  store: Store,
  tenant: string,
  { mails, headerFroms, connectors, restrictedAt, knownSince }: Scenario,
  by = 0,
): Promise<void> {
  const { client, keys } = store
  const moved = mails.map((mail) => ({ ...mail, at: mail.at + by }))
  const looked = headerFroms.map((each) => ({ ...each, at: each.at + by }))
  await client.hset(keys.tenant(tenant), 'createdAt', knownSince + by)
  await client.set(keys.recordedSince, knownSince + by)
  const writes: Promise<unknown>[] = []
  const write = (key: string, field: string, counts: Counts): void => {
    writes.push(client.hset(key, field, packCounts(counts)))
  }
  for (const hour of hoursOf({ mails: moved, headerFroms: looked })) {
    const key = keys.reportDay(tenant, Math.floor(hour.at / DAY))
    for (const each of CLASSES) {
      if (hour[each].lastSeen > 0) write(key, totalField((hour.at / HOUR) % 24, each), hour[each])
    }
    const { headerFrom } = hour
    const field = lookedField((hour.at / HOUR) % 24)
    writes.push(client.hset(key, field, `${headerFrom.looked} ${headerFrom.mismatched}`))
  }
  for (const [day, some] of grouped(moved, ({ at }) => startOf(at, DAY))) {
    const key = keys.reportDay(tenant, day / DAY)
    for (const [field, counts] of ownedIn(some)) write(key, field, counts)
  }
  for (const [day, some] of grouped(looked, ({ at }) => startOf(at, DAY))) {
    const key = keys.reportDay(tenant, day / DAY)
    for (const [field, messages] of mismatchesIn(some)) {
      writes.push(client.hset(key, field, messages))
    }
  }
  for (const row of rowsBy(moved, DAY)) {
    write(keys.reportDay(tenant, row.at / DAY), sourceField(row, row.class), row.counts)
  }
  for (const row of rowsBy(moved, HOUR)) {
    write(keys.reportHour(tenant, row.at / HOUR), sourceField(row, row.class), row.counts)
  }
  const last = Math.max(
    0,
    ...moved.filter((mail) => classOf(mail) !== 'registered').map(({ at }) => at),
    ...looked.filter(({ mismatched }) => mismatched).map(({ at }) => at),
  )
  if (last > 0) writes.push(client.zadd(keys.reported, last, tenant))
  for (const { addedAt, changedAt, ...rest } of connectors) {
    const packed = packConnector({
      ...{ ...rest, addedAt: addedAt + by },
      ...(changedAt === undefined ? {} : { changedAt: changedAt + by }),
    })
    writes.push(client.hset(keys.connectors, connectorId(tenant, rest.name), packed))
  }
  for (const [at, since] of restrictedAt.entries()) {
    writes.push(client.zadd(keys.caseIndex, since + by, `${tenant}:${at + 1}`))
  }
  await Promise.all(writes)
}

/** Sets the connectors of a tenant to have been added long ago. */
export async function age({ connectors }: Registries, tenant: string): Promise<void> {
  const all = await connectors.list(tenant)
  await connectors.restore(all.map((each) => ({ ...each, addedAt: Date.now() - 400 * DAY })))
}

const CLASSES = ['unregistered', 'foreign', 'forwarded', 'registered', 'null'] as const

function classOf({ class: of }: Mail): KnownClass {
  return of ?? 'unregistered'
}

function hoursOf({ mails, headerFroms }: Pick<Scenario, 'mails' | 'headerFroms'>): HourReport[] {
  const hours = new Map<number, HourReport>()
  const hourOf = (time: number): HourReport => {
    const at = startOf(time, HOUR)
    const none = Object.fromEntries(CLASSES.map((each) => [each, NOTHING]))
    const looked = { looked: 0, mismatched: 0 }
    const hour = { at, ...none, headerFrom: looked, nullHeaderFrom: looked }
    return hours.get(at) ?? (hour as unknown as HourReport)
  }
  for (const mail of mails) {
    const hour = hourOf(mail.at)
    const counts = addCounts(hour[classOf(mail)], countsOf(mail))
    hours.set(hour.at, { ...hour, [classOf(mail)]: counts })
  }
  for (const { at, looked, mismatched = {} } of headerFroms) {
    const hour = hourOf(at)
    const sum = Object.values(mismatched).reduce((a, b) => a + b, 0)
    const { headerFrom } = hour
    hours.set(hour.at, {
      ...hour,
      headerFrom: {
        looked: headerFrom.looked + looked,
        mismatched: headerFrom.mismatched + sum,
      },
    })
  }
  return [...hours.values()].sort((a, b) => a.at - b.at)
}

/** Foreign domains and their owners, as fields of a report. */
function ownedIn(mails: readonly Mail[]): Map<string, Counts> {
  const owned = new Map<string, Counts>()
  for (const mail of mails) {
    if (mail.class !== 'foreign') continue
    const field = ownedField({ domain: sourceOf(mail).domain, owner: mail.owner ?? 'fabrikam' })
    owned.set(field, addCounts(owned.get(field) ?? NOTHING, countsOf(mail)))
  }
  return owned
}

/** Domains in the header From, as fields of a report. */
function mismatchesIn(found: readonly HeaderFromMail[]): Map<string, number> {
  const rows = new Map<string, number>()
  for (const { mismatched = {} } of found) {
    for (const [domain, messages] of Object.entries(mismatched)) {
      const field = headerFromField({ domain, connector: 'contoso/mx' })
      rows.set(field, (rows.get(field) ?? 0) + messages)
    }
  }
  return rows
}

function rowsBy(mails: readonly Mail[], length: number): DatedRow[] {
  const rows = new Map<string, DatedRow>()
  for (const mail of mails) {
    const of = classOf(mail)
    if (!isSourceClass(of)) continue
    const at = startOf(mail.at, length)
    const source = sourceOf(mail)
    const key = `${at} ${sourceField(source, of)}`
    const counts = addCounts(rows.get(key)?.counts ?? NOTHING, countsOf(mail))
    rows.set(key, { class: of, ...source, at, counts })
  }
  return [...rows.values()].sort((a, b) => a.at - b.at)
}
