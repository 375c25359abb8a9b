import {
  CLASSES,
  SOURCE_CLASSES,
  type KnownClass,
  type LookedClass,
  type SourceClass,
} from '../../src/mail/classes'
import { DAY, HOUR, MINUTE } from '../../src/reporting/calendar'
import { addCounts, NOTHING, unpackCounts, type Counts } from '../../src/reporting/counts'
import { lookedField, totalField, type Source } from '../../src/reporting/rows'
import { ReportReader } from '../../src/reporting/reader'
import type { Store } from '../../src/store/store'
import { headerFromField, ownedField, packCounts, sourceField } from './report-fields'

/** Mail, with defaults for what a test does not set. */
export type Mail = Partial<Source> &
  Partial<Omit<Counts, 'messages' | 'firstSeen' | 'lastSeen'>> & {
    readonly messages?: Partial<Counts['messages']>
    /** ms */
    readonly at: number
    readonly class?: KnownClass
    /** Of foreign mail. */
    readonly owner?: string
  }

/** Counts as recording keeps them; by default one message for each accepted recipient. */
export function countsOf({ at, messages, ...rest }: Mail): Counts {
  const { accepted = 0, deferred = 0, refused = 0, refunded = 0 } = rest
  return {
    accepted,
    deferred,
    refused,
    refunded,
    messages: { accepted, deferred, refused, refunded, ...messages },
    firstSeen: at,
    lastSeen: at,
  }
}

export function sourceOf(mail: Partial<Source>): Source {
  const { domain = 'lure.example', connector = 'contoso/mx', ip = '192.0.2.1', user = '' } = mail
  return { domain, connector, ip, user }
}

/** Writes mail of a tenant into its reports, like recording. */
export async function record(store: Store, tenant: string, ...mails: Mail[]): Promise<void> {
  const { keys } = store
  for (const mail of mails) {
    const { at, class: mailClass = 'unregistered' } = mail
    const hour = Math.floor(at / HOUR)
    const day = keys.reportDay(tenant, Math.floor(at / DAY))
    const counts = countsOf(mail)
    await add(store, day, totalField(hour % 24, mailClass), counts)
    await addMinute(store, tenant, mail, counts)
    if (!isSourceClass(mailClass)) continue
    const source = sourceOf(mail)
    const field = sourceField(source, mailClass)
    if (mailClass === 'foreign') {
      const owned = ownedField({ domain: source.domain, owner: mail.owner ?? 'fabrikam' })
      await add(store, day, owned, counts)
    }
    await add(store, day, field, counts)
    await add(store, keys.reportHour(tenant, hour), field, counts)
    await store.client.zadd(keys.reported, at, tenant)
  }
}

export function isSourceClass(mailClass: KnownClass): mailClass is SourceClass {
  return SOURCE_CLASSES.some((each) => each === mailClass)
}

/** The header From findings of one class in one hour. */
export interface HeaderFromMail {
  /** ms */
  readonly at: number
  readonly looked: number
  /** Class of the mail; default: registered. */
  readonly of?: LookedClass
  /** Domain, or domain and connector joined by a tab → messages. */
  readonly mismatched?: Readonly<Record<string, number>>
}

/** Writes them into the reports, like recording. */
export async function recordHeaderFrom(
  { client, keys }: Store,
  tenant: string,
  ...found: HeaderFromMail[]
): Promise<void> {
  for (const { at, looked, of = 'registered', mismatched = {} } of found) {
    const day = keys.reportDay(tenant, Math.floor(at / DAY))
    const field = lookedField(Math.floor(at / HOUR) % 24, of)
    const [all = 0, some = 0] = ((await client.hget(day, field)) ?? '').split(' ').map(Number)
    const sum = Object.values(mismatched).reduce((a, b) => a + b, 0)
    await client.hset(day, field, `${all + looked} ${some + sum}`)
    for (const [key, messages] of Object.entries(mismatched)) {
      const [domain = '', connector = 'contoso/mx'] = key.split('\t')
      await client.hincrby(day, headerFromField({ domain, connector }, of), messages)
    }
    if (sum > 0) await client.zadd(keys.reported, at, tenant)
  }
}

/** One line of a row of the minutes; a test records no minute twice. */
async function addMinute(store: Store, tenant: string, mail: Mail, counts: Counts): Promise<void> {
  const { at, class: of = 'unregistered' } = mail
  const key = store.keys.reportMinutes(tenant, Math.floor(at / HOUR))
  const field = `${CLASSES[of].letter}\t${sourceOf(mail).connector}`
  const numbers = packCounts(counts).split(' ').slice(0, 8).join(' ')
  const line = `\n${Math.floor(at / MINUTE) % 60} ${numbers}`
  await store.client.hset(key, field, `${(await store.client.hget(key, field)) ?? ''}${line}`)
}

/** Adds to one row of a report. */
export async function add(store: Store, key: string, field: string, counts: Counts): Promise<void> {
  const before = await store.client.hget(key, field)
  const sum = addCounts(before === null ? NOTHING : unpackCounts(before), counts)
  await store.client.hset(key, field, packCounts(sum))
}

/** Samples of a source on the day of `at`: each Message-ID and HELO. */
export async function recordSamples(
  store: Store,
  tenant: string,
  at: number,
  source: Partial<Source> & { readonly class?: SourceClass },
  ...samples: (readonly [messageId: string, helo: string])[]
): Promise<void> {
  await store.client.hset(
    store.keys.samples(tenant, Math.floor(at / DAY)),
    sourceField(sourceOf(source), source.class),
    samples.map((sample) => sample.join('\t')).join('\n'),
  )
}

/** Reported recipients accepted in the last hour. */
export async function recorded(
  store: Store,
  tenant: string,
  mailClass: KnownClass,
): Promise<number> {
  const now = Date.now()
  const hours = await new ReportReader(store).hours(tenant, now - HOUR, now + 1)
  return hours.reduce((sum, hour) => sum + hour[mailClass].accepted, 0)
}
