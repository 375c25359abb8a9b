import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { DAY, HOUR, MINUTE } from '../../src/reporting/calendar'
import { NOTHING } from '../../src/reporting/counts'
import { ReportReader } from '../../src/reporting/reader'
import type { Source } from '../../src/reporting/rows'
import type { Store } from '../../src/store/store'
import { NOON } from '../support/clock'
import { newSite, useRedis } from '../support/registry'
import { countsOf, record, recordHeaderFrom, recordSamples, sourceOf } from '../support/reports'

/** Its hours end with 16, so all of a span can lie in one day. */
const TODAY = Math.floor(NOON / DAY) * DAY

useRedis()

function site(): { store: Store; reader: ReportReader } {
  const { store } = newSite()
  return { store, reader: new ReportReader(store) }
}

describe('ReportReader', () => {
  it('finds nothing if nothing was recorded', async () => {
    const { reader } = site()
    const span = ['contoso', TODAY - 90 * DAY, TODAY] as const
    assert.deepEqual(await reader.hours(...span), [])
    assert.deepEqual(await reader.rows(...span, 'day'), [])
    assert.deepEqual(await reader.rows(...span, 'hour'), [])
    assert.equal(await reader.others(...span, 'day'), 0)
    assert.deepEqual(await reader.samples(...span), [])
    assert.deepEqual(await reader.connectorsSeen('contoso'), new Map())
  })

  it('returns totals by hour and class, oldest first, for all days kept', async () => {
    const { store, reader } = site()
    const old = TODAY - 89 * DAY + 3 * HOUR
    const late = TODAY + 23 * HOUR + 5
    await record(
      store,
      'contoso',
      { at: late, accepted: 2 },
      { at: late, accepted: 5, class: 'registered' },
      { at: late, refused: 1, class: 'null' },
      { at: late, refused: 3, class: 'foreign' },
      { at: late, accepted: 4, class: 'forwarded' },
      { at: old, deferred: 7 },
    )
    await recordHeaderFrom(store, 'contoso', {
      ...{ at: late, looked: 7, mismatched: { 'bank.example': 2 } },
    })
    assert.deepEqual(await reader.hours('contoso', TODAY - 90 * DAY, TODAY + DAY), [
      {
        at: old,
        unregistered: countsOf({ at: old, deferred: 7 }),
        ...{ foreign: NOTHING, forwarded: NOTHING, registered: NOTHING, null: NOTHING },
        headerFrom: { looked: 0, mismatched: 0 },
        nullHeaderFrom: { looked: 0, mismatched: 0 },
      },
      {
        at: TODAY + 23 * HOUR,
        unregistered: countsOf({ at: late, accepted: 2 }),
        foreign: countsOf({ at: late, refused: 3 }),
        forwarded: countsOf({ at: late, accepted: 4 }),
        headerFrom: { looked: 7, mismatched: 2 },
        nullHeaderFrom: { looked: 0, mismatched: 0 },
        registered: countsOf({ at: late, accepted: 5 }),
        null: countsOf({ at: late, refused: 1 }),
      },
    ])
  })

  it('includes each hour and day that overlaps the span, and no other', async () => {
    const { store, reader } = site()
    const at = TODAY + 10 * HOUR
    await record(
      store,
      'contoso',
      ...[at - 1, at, at + HOUR, at + DAY].map((each) => ({ at: each, accepted: 1 })),
    )
    const hours = async (from: number, to: number): Promise<number[]> =>
      (await reader.hours('contoso', from, to)).map((hour) => (hour.at - TODAY) / HOUR)
    assert.deepEqual(await hours(at, at + HOUR), [10])
    assert.deepEqual(await hours(at - 1, at + 1), [9, 10])
    assert.deepEqual(await hours(at, at), [])
    const rows = async (from: number, to: number, step: 'hour' | 'day'): Promise<number[]> =>
      (await reader.rows('contoso', from, to, step)).map((row) => (row.at - TODAY) / HOUR)
    assert.deepEqual(await rows(at + 1, at + HOUR + 1, 'hour'), [10, 11])
    assert.deepEqual(await rows(at, at + 1, 'day'), [0])
    assert.deepEqual(await rows(TODAY + DAY, TODAY + 2 * DAY, 'day'), [24])
  })

  it('returns rows by source, with empty values and (other)', async () => {
    const { store, reader } = site()
    const sources = [
      { domain: 'lure.example', connector: 'contoso/mx', ip: '2001:db8::/64', user: 'bob' },
      { domain: '', connector: '', ip: '', user: '' },
      { domain: '(other)', connector: 'contoso/mx', ip: '(other)', user: '(other)' },
    ]
    const mails = sources.map((source, at) => ({ ...source, at: NOON, accepted: at + 1 }))
    await record(store, 'contoso', ...mails)
    const rows = await reader.rows('contoso', NOON, NOON + 1, 'hour')
    const expected = mails.map((mail, at) => ({
      class: 'unregistered',
      ...sources[at]!,
      at: Math.floor(NOON / HOUR) * HOUR,
      counts: countsOf(mail),
    }))
    assert.deepEqual(rows, expected)
  })

  it('returns the minutes of the span by class and connector, oldest first', async () => {
    const { store, reader } = site()
    const minute = (at: number): number => NOON + at * MINUTE
    await record(
      store,
      'contoso',
      { at: minute(-1), accepted: 1 },
      { at: minute(0) + 7, accepted: 300, messages: { accepted: 30 } },
      { at: minute(0) + 9, accepted: 5, class: 'registered', connector: 'contoso/web' },
      { at: minute(59), refused: 2 },
      { at: minute(60), accepted: 4, class: 'null', connector: '' },
    )
    // Of a later version.
    const hour = store.keys.reportMinutes('contoso', Math.floor(NOON / HOUR))
    await store.client.hset(hour, 'z\tcontoso/mx', '\n0 1 0 0 0 1 0 0 0')
    const minutes = async (from: number, to: number): Promise<unknown[]> =>
      (await reader.minutes('contoso', from, to)).map((row) => [
        ...[(row.at - NOON) / MINUTE, row.class, row.connector],
        ...[row.counts.messages.accepted, row.counts.accepted, row.counts.refused],
      ])
    assert.deepEqual(await minutes(minute(0) + 1, minute(60)), [
      [0, 'unregistered', 'contoso/mx', 30, 300, 0],
      [0, 'registered', 'contoso/web', 5, 5, 0],
      [59, 'unregistered', 'contoso/mx', 0, 0, 2],
    ])
    assert.deepEqual(await minutes(minute(-1), minute(0)), [
      [-1, 'unregistered', 'contoso/mx', 1, 1, 0],
    ])
    assert.deepEqual(await minutes(minute(60), minute(60) + 1), [[60, 'null', '', 4, 4, 0]])
    const [{ counts } = { counts: countsOf({ at: 0 }) }] = await reader.minutes(
      ...(['contoso', NOON, NOON + 1] as const),
    )
    assert.deepEqual([counts.firstSeen, counts.lastSeen], [NOON, NOON])
  })

  it('reads no more hours than are kept', async () => {
    const { store, reader } = site()
    const before = Number((await commandStats(store)) ?? 0)
    await reader.rows('contoso', 0, NOON, 'hour')
    const after = Number((await commandStats(store)) ?? 0)
    assert.ok(after - before <= 9 * 24 + 1, String(after - before))
    await reader.minutes('contoso', 0, NOON)
    const last = Number((await commandStats(store)) ?? 0)
    assert.ok(last - after <= 5, String(last - after))
  })

  it('counts the distinct domains in (other) over the whole span', async () => {
    const { store, reader } = site()
    const { client, keys } = store
    const day = Math.floor(NOON / DAY)
    const others = (at: number): string => keys.reportOthers(keys.reportDay('contoso', at))
    await client.pfadd(others(day), ...names(0, 400))
    await client.pfadd(others(day - 80), ...names(200, 600))
    const found = await reader.others('contoso', NOON - 89 * DAY, NOON, 'day')
    assert.ok(Math.abs(found - 600) < 20, String(found))
    assert.equal(await reader.others('contoso', NOON, NOON + 1, 'hour'), 0)
  })

  it('returns samples of each source', async () => {
    const { store, reader } = site()
    const yesterday = TODAY - DAY
    await recordSamples(store, 'contoso', NOON, {}, ['<a@x>', 'mail.example'], ['', 'helo'])
    await recordSamples(store, 'contoso', yesterday, { domain: 'b.example' }, ['<b@x>', ''])
    const of = (source: Partial<Source>): object => ({
      class: 'unregistered',
      ...sourceOf(source),
    })
    assert.deepEqual(await reader.samples('contoso', yesterday, NOON + 1), [
      { ...of({ domain: 'b.example' }), at: yesterday, messageId: '<b@x>', helo: '' },
      { ...of({}), at: TODAY, messageId: '<a@x>', helo: 'mail.example' },
      { ...of({}), at: TODAY, messageId: '', helo: 'helo' },
    ])
  })

  it('returns when each connector was used and when its certificate expires', async () => {
    const { store, reader } = site()
    await store.client.hset(store.keys.seen('contoso'), { mx: '5 7 0', edge: '1 2 3' })
    assert.deepEqual(
      await reader.connectorsSeen('contoso'),
      new Map([
        ['mx', { first: 5, last: 7, certificateExpires: undefined }],
        ['edge', { first: 1, last: 2, certificateExpires: 3 }],
      ]),
    )
  })
})

function names(from: number, to: number): string[] {
  return Array.from({ length: to - from }, (_, at) => `d${from + at}.example`)
}

/** Number of HGETALL calls on the server. */
async function commandStats({ client }: Store): Promise<string | undefined> {
  return /cmdstat_hgetall:calls=(\d+)/.exec(await client.info('commandstats'))?.[1]
}
