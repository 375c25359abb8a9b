import { readAddress, sourceOf } from '../base/ip-prefix'
import { batchesOf } from '../base/lists'
import { shortened } from '../base/safe-text'
import { reverseLabels, toDomain } from '../names/domain'
import { readScript } from '../store/script'
import type { Store } from '../store/store'
import { daysTtl, HOURS_KEPT, LONGEST_MESSAGE_ID, MOST_INDEXED } from './bounds'
import { DAY, numbersBetween } from './calendar'

/**
 * The index of what mail has shown, over all tenants: a sorted set a day, whose members are found by how they begin. A
 * member is a letter, a value, a tab and the tenant, which is empty for mail without one:
 *
 *     d domain   b domain of three labels or more, the last label first: found by a name above it
 *     a address, or the /64 of an IPv6 one   m Message-ID, without its brackets
 *
 * Reports bound it: only what has a row or a sample of its own in the report of a day is here, and is written once that day.
 */
const NOTE = readScript(__dirname, 'note_mail')

/** Members written in one call, or read in one to be removed: about a millisecond of Redis. */
const BATCH = 500

/** Something that mail has shown. */
export interface Seen {
  readonly value: string
  /** Empty: mail without a tenant. */
  readonly tenant: string
  /** The last day on which it was, in ms. */
  readonly day: number
}

/** What was found of one kind. */
export interface Found<T> {
  readonly items: readonly T[]
  /** There are more. */
  readonly hasMore: boolean
}

/** What mail of the last {@link HOURS_KEPT} days and today has shown; the latest first. */
export interface SeenInMail {
  readonly domains: Found<Seen>
  readonly addresses: Found<Seen>
  readonly messageIds: Found<Seen>
  /** No process has written the index: there was no such mail, or all are of an earlier release. */
  readonly isEmpty: boolean
  /** Days whose index is full, in ms: what came late on them is not found. */
  readonly fullDays: readonly number[]
}

/** Collects what is new in reports, and writes it to the index. */
export class MailIndexWriter {
  /** Day → members. */
  private waiting = new Map<number, string[]>()

  constructor(private readonly store: Store) {}

  /**
   * @param news a letter and a value each, as `lua/record.lua` replies them.
   * @param tenant empty: none.
   */
  add(day: number, tenant: string, news: readonly string[]): void {
    if (news.length === 0) return
    const members = news.flatMap((each) => membersOf(each, tenant))
    this.waiting.set(day, [...(this.waiting.get(day) ?? []), ...members])
  }

  /** Makes one attempt: what Redis does not take is in the reports, and not found by a search. @throws what ioredis throws. */
  async write(): Promise<void> {
    const days = this.waiting
    this.waiting = new Map()
    const ttl = daysTtl(HOURS_KEPT)
    for (const [day, members] of days) {
      for (const batch of batchesOf(members, BATCH)) {
        await this.store.run(NOTE, [this.store.keys.mailIndex(day)], [MOST_INDEXED, ttl, ...batch])
      }
    }
  }
}

function membersOf(news: string, tenant: string): string[] {
  const letter = news[0]!
  const value = letter === 'm' ? bare(news.slice(1)) : news.slice(1)
  const isBelow = letter === 'd' && value.split('.').length > 2
  return [
    `${letter}${value}\t${tenant}`,
    ...(isBelow ? [`b${reverseLabels(value)}\t${tenant}`] : []),
  ]
}

/** A Message-ID without its brackets. */
function bare(messageId: string): string {
  return messageId.replace(/^<|>$/g, '')
}

/**
 * Finds sender domains that begin with a text or lie below it, addresses and Message-IDs that begin with it.
 *
 * @param now ms, server time.   @param most found of each kind.
 */
export async function findInMail(
  { client, keys }: Store,
  text: string,
  now: number,
  most: number,
): Promise<SeenInMail> {
  const days = indexedDays(now).reverse()
  const find = async (...starts: string[]): Promise<Found<Seen>> => {
    const found = await Promise.all(
      days.flatMap((day) =>
        starts.map(async (start) => {
          const to = Buffer.concat([Buffer.from(`(${start}`), PAST])
          const range = [keys.mailIndex(day), `[${start}`, to] as const
          const members = await client.zrangebylex(...range, 'LIMIT', 0, most + 1)
          return members.map((member) => seenIn(member, day * DAY))
        }),
      ),
    )
    const latest = new Map<string, Seen>()
    for (const seen of found.flat()) {
      const name = `${seen.value}\t${seen.tenant}`
      if (!latest.has(name)) latest.set(name, seen)
    }
    return { items: [...latest.values()].slice(0, most), hasMore: latest.size > most }
  }
  const at = text.lastIndexOf('@')
  const name = text.slice(at + 1)
  const domain = toDomain(name) ?? name.toLowerCase()
  // Behind an @ stands a whole domain. Of a whole address, those that only begin like it are others.
  const ofDomain = at === -1 ? [`d${domain}`, `b${reverseLabels(domain)}.`] : [`d${domain}\t`]
  const address = readAddress(text) ? `${sourceOf(text)}\t` : text.toLowerCase()
  const [sizes, domains, addresses, messageIds] = await Promise.all([
    Promise.all(days.map((day) => client.zcard(keys.mailIndex(day)))),
    find(...ofDomain),
    find(`a${address}`),
    find(`m${shortened(bare(text), LONGEST_MESSAGE_ID)}`),
  ])
  return {
    ...{ domains, addresses, messageIds },
    isEmpty: sizes.every((size) => size === 0),
    fullDays: days.filter((_, at) => sizes[at]! >= MOST_INDEXED).map((day) => day * DAY),
  }
}

/** No text has this octet: behind a text, it follows all that begin with the text. */
const PAST = Buffer.of(0xff)

function seenIn(member: string, day: number): Seen {
  const end = member.lastIndexOf('\t')
  const value = member.slice(1, end)
  return {
    value: member.startsWith('b') ? reverseLabels(value) : value,
    tenant: member.slice(end + 1),
    day,
  }
}

/** Erases what mail of a tenant has shown. @param now ms, server time. */
export async function forgetInMail(
  { client, keys }: Store,
  tenant: string,
  now: number,
): Promise<void> {
  for (const day of indexedDays(now)) {
    const key = keys.mailIndex(day)
    let cursor = '0'
    do {
      const [next, pairs] = await client.zscan(key, cursor, 'MATCH', `*\t${tenant}`, 'COUNT', BATCH)
      const members = pairs.filter((_, at) => at % 2 === 0)
      if (members.length > 0) await client.zrem(key, ...members)
      cursor = next
    } while (cursor !== '0')
  }
}

/** Days since the epoch, the oldest first. */
function indexedDays(now: number): number[] {
  return numbersBetween(now - HOURS_KEPT * DAY, now + 1, DAY)
}
