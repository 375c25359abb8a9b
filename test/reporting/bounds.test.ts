// Each bound of the reports holds at its exact number: first those of Redis, then those of a process. The numbers are
// those of docs/runbook.md.
import type { SourceClass } from '../../src/mail/classes'
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Batch } from '../../src/reporting/batch'
import * as bounds from '../../src/reporting/bounds'
import { readForeign } from '../../src/reporting/foreign'
import { readHeaderFroms } from '../../src/reporting/header-from'
import { ReportReader } from '../../src/reporting/reader'
import {
  OTHER,
  readSource,
  unattributedField,
  type Row,
  type Source,
} from '../../src/reporting/rows'
import { Tally, UNATTRIBUTED } from '../../src/reporting/tally'
import type { UnattributedBatch } from '../../src/reporting/unattributed-batch'
import { useRedis } from '../support/registry'
import { ACCEPTED, DAY, HALF_PAST, HOUR, MINUTE, Reports } from '../support/reporting'

useRedis()

const HERE: Source = { domain: 'd.example', connector: 'contoso/mx', ip: '192.0.2.1', user: '' }
const numbers = (count: number): number[] => Array.from({ length: count }, (_, at) => at)

let flushes = 0

/** Flushes a few sources at a time, below the bounds of a process. */
async function record(reports: Reports, sources: readonly Source[]): Promise<void> {
  for (let at = 0; at < sources.length; at += 100) {
    await flush(reports, (batch) => {
      for (const source of sources.slice(at, at + 100))
        batch.addSource(source, 'unregistered', ACCEPTED)
    })
  }
}

async function flush(reports: Reports, fill: (batch: Batch) => void): Promise<void> {
  fill(reports.tally.batchOf('contoso')!)
  const batch = reports.tally.take('contoso') as Batch
  assert.notEqual(await reports.recorder.record('contoso', batch, `p ${++flushes}`), 'gone')
  reports.tally.release(batch)
}

/** The rows of the hour, after a check that those of the day are the same. */
async function rowsOf(reports: Reports): Promise<Source[]> {
  const [hour, day] = await Promise.all(
    [reports.hourKey, reports.dayKey].map((key) => reports.rows(key)),
  )
  const order = (rows: readonly Source[]): string[] => rows.map((row) => JSON.stringify(row)).sort()
  assert.deepEqual(order(hour!), order(day!))
  return hour!
}

async function othersOf(reports: Reports): Promise<number> {
  const { client, keys } = reports.store
  return client.pfcount(keys.reportOthers(reports.dayKey))
}

describe('of a tenant and hour, and of a tenant and day', () => {
  it('100 domains have rows of their own', async () => {
    const reports = await Reports.create()
    const of = (at: number): Source => ({ ...HERE, domain: `d${at}.example` })
    await record(reports, numbers(100).map(of))
    const before = await rowsOf(reports)
    assert.equal(new Set(before.map(({ domain }) => domain)).size, 100)
    assert.equal(await othersOf(reports), 0)
    await record(reports, [of(100), of(101), of(0)])
    const rows = await rowsOf(reports)
    assert.equal(rows.length, 101)
    assert.equal(rows.find(({ domain }) => domain === OTHER)?.connector, 'contoso/mx')
    assert.equal(await othersOf(reports), 2)
  })

  for (const key of ['ip', 'user'] as const) {
    it(`50 values of ${key} have rows of their own, then the domain has one`, async () => {
      const reports = await Reports.create()
      const of = (at: number): Source => ({ ...HERE, [key]: `v${at}` })
      await record(reports, numbers(50).map(of))
      assert.ok((await rowsOf(reports)).every((row) => row[key] !== OTHER))
      await record(reports, [of(50), of(51), of(0)])
      const rows = await rowsOf(reports)
      assert.equal(rows.length, 51)
      const { domain, ip, user } = rows.find((row) => row[key] === OTHER)!
      assert.deepEqual([domain, ip, user], [HERE.domain, OTHER, OTHER])
      assert.equal(await othersOf(reports), 0)
    })
  }

  it('there are 250 rows by source, 350 with those by domain, 450 with those by connector, and one more', async () => {
    const reports = await Reports.create()
    const kinds = async (): Promise<number[]> => {
      const rows = await rowsOf(reports)
      const bySource = rows.filter(({ ip }) => ip !== OTHER)
      const byDomain = rows.filter(({ ip, domain }) => ip === OTHER && domain !== OTHER)
      const byConnector = rows.filter(
        ({ domain, connector }) => domain === OTHER && connector !== OTHER,
      )
      const all = rows.filter(({ connector }) => connector === OTHER)
      return [bySource, byDomain, byConnector, all].map(({ length }) => length)
    }
    // A row for each connector of few domains, so that no other bound is reached.
    const of = (at: number): Source => ({ ...HERE, connector: `contoso/c${at}` })
    await record(reports, numbers(250).map(of))
    assert.deepEqual(await kinds(), [250, 0, 0, 0])
    await record(reports, numbers(350).map(of))
    assert.deepEqual(await kinds(), [250, 100, 0, 0])
    await record(reports, numbers(450).map(of))
    assert.deepEqual(await kinds(), [250, 100, 100, 0])
    await record(reports, numbers(470).map(of))
    assert.deepEqual(await kinds(), [250, 100, 100, 1])
    const [row] = (await reports.rows(reports.dayKey)).filter(
      ({ connector }) => connector === OTHER,
    )
    assert.equal(row?.counts.accepted, 20)
  })
})

describe('of the classes of a tenant and day', () => {
  const count = (rows: readonly Row[], of: SourceClass): number =>
    rows.filter((row) => row.class === of && row.domain !== OTHER).length
  const of = (at: number): Source => ({ ...HERE, domain: `d${at}.example` })

  it('forwarded mail has half of the domains, and unregistered mail the rest', async () => {
    const reports = await Reports.create()
    for (let from = 0; from < 60; from += 20) {
      await flush(reports, (batch) => {
        for (const at of numbers(20)) batch.addSource(of(from + at), 'forwarded', ACCEPTED)
      })
    }
    assert.equal(count(await reports.rows(reports.dayKey), 'forwarded'), 50)
    await record(
      reports,
      numbers(60).map((at) => of(100 + at)),
    )
    const rows = await reports.rows(reports.dayKey)
    assert.deepEqual([count(rows, 'forwarded'), count(rows, 'unregistered')], [50, 50])
    const others = rows.filter(({ domain }) => domain === OTHER)
    assert.deepEqual(others.map((row) => [row.class, row.counts.accepted]).sort(), [
      ['forwarded', 10],
      ['unregistered', 10],
    ])
  })

  it('50 foreign domains keep their owner while random domains fill all rows', async () => {
    const reports = await Reports.create()
    await record(reports, numbers(110).map(of))
    await flush(reports, (batch) => {
      for (const at of numbers(53)) batch.addSource(of(1000 + at), 'foreign', ACCEPTED, `t${at}`)
    })
    assert.equal(count(await reports.rows(reports.dayKey), 'foreign'), 0)
    const reader = new ReportReader(reports.store)
    const found = await readForeign(reader, 'contoso', reports.clock.now, reports.clock.now + 1)
    assert.equal(found.length, 51)
    assert.ok(found.slice(0, 50).every(({ domain, owner }) => domain !== OTHER && owner !== ''))
    assert.deepEqual([found[50]!.domain, found[50]!.counts.accepted], [OTHER, 3])
  })

  for (const of of ['registered', 'null'] as const) {
    it(`40 domains in the header From of ${of} mail have rows, 50 with those by connector, and one more`, async () => {
      const reports = await Reports.create()
      await flush(reports, (batch) => {
        for (const at of numbers(70)) batch.addHeaderFrom(of, `contoso/c${at}`, `d${at}.example`)
        numbers(5).forEach(() => batch.addHeaderFrom(of, 'contoso/c0', 'd0.example'))
      })
      const reader = new ReportReader(reports.store)
      const { now } = reports.clock
      const { domains, ...rest } = await readHeaderFroms(reader, 'contoso', now, now + 1, of)
      assert.deepEqual([rest.looked, rest.mismatched], [75, 75])
      assert.deepEqual(domains[0], {
        ...{ domain: 'd0.example', connector: 'contoso/c0', messages: 6 },
      })
      assert.equal(domains.filter(({ domain }) => domain !== OTHER).length, 40)
      const others = domains.filter(({ domain }) => domain === OTHER)
      assert.equal(others.filter(({ connector }) => connector !== OTHER).length, 10)
      assert.equal(others.find(({ connector }) => connector === OTHER)?.messages, 20)
    })
  }
})

describe('of a tenant', () => {
  it('100 sources a day have samples, of 3 messages each', async () => {
    const reports = await Reports.create()
    for (let round = 0; round < 5; round++) {
      await flush(reports, (batch) => {
        for (const at of numbers(round === 0 ? 99 : 102)) {
          const source = { ...HERE, domain: `d${at}.example` }
          batch.samples.set(`u\t${source.domain}\tcontoso/mx\t192.0.2.1\t`, [
            `<${round}@${at}>\thelo`,
          ])
        }
      })
    }
    const { client, keys } = reports.store
    const samples = await client.hgetall(keys.samples('contoso', reports.day))
    assert.equal(Object.keys(samples).length, 100)
    const of = (name: string): string | undefined =>
      Object.entries(samples).find(([field]) => readSource(field)?.domain === name)?.[1]
    assert.equal(of('d7.example'), '<0@7>\thelo\n<1@7>\thelo\n<2@7>\thelo')
    assert.equal(of('d99.example'), '<1@99>\thelo\n<2@99>\thelo\n<3@99>\thelo')
    assert.equal(of('d100.example'), undefined)
  })

  it('the use of 1,000 connectors is recorded and updated', async () => {
    const reports = await Reports.create()
    const use = (from: number, to: number): Promise<void> =>
      flush(reports, (batch) => {
        for (let at = from; at < to; at++) batch.noteConnector(`contoso/c${at}`, 0)
      })
    const { client, keys } = reports.store
    await use(0, 700)
    await reports.advance(60_000)
    await use(0, 1001)
    await use(1000, 1010)
    const seen = await client.hgetall(keys.seen('contoso'))
    assert.equal(Object.keys(seen).length, bounds.MOST_CONNECTORS)
    assert.equal(bounds.MOST_CONNECTORS, 1000)
    const [first, last] = seen['c0']!.split(' ').map(Number)
    assert.ok(last! - first! > 50_000, seen['c0'])
    assert.ok(seen['c999'])
  })

  it('the minutes of an hour have 50 rows of class and connector, then one for the rest of each class', async () => {
    const reports = await Reports.create()
    await reports.advance(MINUTE / 2)
    await flush(reports, (batch) => {
      for (const at of numbers(30)) batch.addTotal('registered', `contoso/c${at}`, ACCEPTED)
      for (const at of numbers(23)) {
        batch.addSource({ ...HERE, connector: `contoso/c${at}` }, 'unregistered', ACCEPTED)
      }
    })
    await flush(reports, (batch) => {
      batch.addTotal('registered', 'contoso/c0', ACCEPTED)
      batch.addTotal('registered', 'contoso/c30', ACCEPTED)
      batch.addTotal('null', '', ACCEPTED)
    })
    const reader = new ReportReader(reports.store)
    const rows = await reader.minutes('contoso', HALF_PAST, HALF_PAST + 1)
    assert.ok(rows.every(({ at }) => at === HALF_PAST))
    const own = rows.filter(({ connector }) => connector !== OTHER)
    assert.equal(own.length, bounds.MOST_MINUTE_ROWS)
    assert.equal(own.find((row) => row.connector === 'contoso/c0')?.counts.accepted, 2)
    const others = rows.filter(({ connector }) => connector === OTHER)
    assert.deepEqual(
      others.map((row) => [row.class, row.counts.accepted]),
      [
        ['unregistered', 3],
        ['registered', 1],
        ['null', 1],
      ],
    )
  })

  it('64 processes are remembered, those that flushed last', async () => {
    const reports = await Reports.create()
    const of = async (process: number): Promise<void> => {
      await reports.advance(1)
      reports.tally.batchOf('contoso')!.addSource(HERE, 'unregistered', ACCEPTED)
      const batch = reports.tally.take('contoso') as Batch
      await reports.recorder.record('contoso', batch, `p${process} 1`)
    }
    const { client, keys } = reports.store
    const known = (): Promise<string[]> => client.hkeys(keys.flushes('contoso'))
    for (const process of numbers(128)) await of(process)
    assert.equal((await known()).length, 128)
    await of(128)
    const expected = numbers(64).map((at) => `p${at + 65}`)
    assert.deepEqual((await known()).sort(), expected.sort())
  })
})

it('of mail without a tenant, 1,000 sources a day have rows', async () => {
  const reports = await Reports.create()
  const { client, keys } = reports.store
  for (let from = 0; from < 1020; from += 340) {
    const batch = reports.tally.unattributed!
    for (let at = from; at < from + 340; at++) {
      batch.add({ ip: `10.0.${at >> 8}.${at & 255}`, user: '', certificate: '' }, ACCEPTED)
    }
    const taken = reports.tally.take(UNATTRIBUTED) as UnattributedBatch
    await reports.recorder.recordUnattributed(taken, `p ${++flushes}`)
  }
  const key = keys.unattributedDay(reports.day)
  const rows = await client.hgetall(key)
  assert.equal(Object.keys(rows).length, 1001)
  assert.match(rows[`${OTHER}\t${OTHER}\t${OTHER}`]!, /^20 0 0 0 20 /)
  const others = await client.pfcount(keys.reportOthers(key))
  assert.ok(Math.abs(others - 20) <= 1, String(others))
})

it('of mail without a tenant, a source that has a row is not among the others', async () => {
  const reports = await Reports.create()
  const source = { ip: '192.0.2.1', user: '', certificate: '' }
  for (const flush of [1, 2]) {
    const batch = reports.tally.unattributed!
    if (flush === 1) batch.add(source, ACCEPTED)
    // A process without room for the source sends this.
    else batch.sources.name(unattributedField(source), 10)
    const taken = reports.tally.take(UNATTRIBUTED) as UnattributedBatch
    await reports.recorder.recordUnattributed(taken, `q ${flush}`)
  }
  const { client, keys } = reports.store
  const others = keys.reportOthers(keys.unattributedDay(reports.day))
  assert.equal(await client.exists(others), 0)
})

describe('reports are kept', () => {
  for (const days of [1, 90, bounds.MOST_DAYS_KEPT]) {
    it(`8 days by the hour, ${days} and one by the day, a year of connectors`, async () => {
      const reports = await Reports.create(days)
      const { client, keys } = reports.store
      await flush(reports, (batch) => {
        for (const at of numbers(110)) {
          batch.addSource({ ...HERE, domain: `d${at}.example` }, 'unregistered', ACCEPTED)
        }
        batch.addSample(HERE, '<1@x>', 'helo')
        batch.noteConnector('contoso/mx', 0)
      })
      reports.tally.unattributed!.add({ ip: '192.0.2.1', user: '', certificate: '' }, ACCEPTED)
      const taken = reports.tally.take(UNATTRIBUTED) as UnattributedBatch
      taken.sources.name('192.0.2.2\t\t', 10)
      await reports.recorder.recordUnattributed(taken, 'p 1')

      const unattributed = keys.unattributedDay(reports.day)
      const kept = new Map([
        [reports.hourKey, 8],
        [keys.reportOthers(reports.hourKey), 8],
        [keys.reportMinutes('contoso', Math.floor(HALF_PAST / HOUR)), 3 / 24],
        [keys.flushes('contoso'), 8],
        [reports.dayKey, days + 1],
        [keys.reportOthers(reports.dayKey), days + 1],
        [keys.samples('contoso', reports.day), days + 1],
        [keys.seen('contoso'), 365],
        [unattributed, days + 1],
        [keys.reportOthers(unattributed), days + 1],
        [keys.unattributedFlushes, days + 1],
      ])
      for (const [key, expected] of kept) {
        const left = await client.pttl(key)
        const late = expected * DAY - left
        assert.ok(late >= 0 && late < 600_000, `${key}: ${left / DAY} and not ${expected} days`)
      }
      const all = await client.keys(`${keys.prefix}{contoso}:*`)
      const lasting = all.filter((key) => !kept.has(key))
      assert.deepEqual(lasting, [keys.audit('contoso')])
    })
  }

  it('in the index of tenants as long as daily rows', async () => {
    const reports = await Reports.create(2)
    const { client, keys } = reports.store
    const { now } = reports.clock
    const note = (of: Record<string, number>): Promise<void> =>
      reports.recorder.noteReported(new Map(Object.entries(of)))
    await note({ old: now - 3 * DAY - 1, aging: now - 3 * DAY, contoso: now })
    assert.deepEqual(await client.zrange(keys.reported, '0', '-1'), ['aging', 'contoso'])
    // A process whose clock is behind does not lower the time.
    await note({ contoso: now - DAY })
    assert.equal(await client.zscore(keys.reported, 'contoso'), String(now))
  })
})

describe('a batch of a process', () => {
  const rowsIn = (batch: Batch): (Source & { sum: string })[] =>
    [...batch.sources.rows].map(([row, sum]) => {
      const [, domain = '', connector = '', ip = '', user = ''] = row.split('\t')
      return { domain, connector, ip, user, sum: String(sum) }
    })

  it('has 500 rows by source, 700 with those by domain, 900 with those by connector, and one more', () => {
    const batch = new Tally(() => {}).batchOf('contoso')!
    const fill = (to: number): number[] => {
      for (let at = batch.sources.rows.size; at < to; at++) {
        batch.addSource(
          { ...HERE, domain: `d${at}.example`, connector: `contoso/c${at}` },
          'unregistered',
          ACCEPTED,
        )
      }
      const rows = rowsIn(batch)
      return [
        rows.filter(({ ip }) => ip !== OTHER).length,
        rows.filter(({ ip, domain }) => ip === OTHER && domain !== OTHER).length,
        rows.filter(({ domain, connector }) => domain === OTHER && connector !== OTHER).length,
        rows.filter(({ connector }) => connector === OTHER).length,
      ]
    }
    assert.deepEqual(fill(500), [500, 0, 0, 0])
    assert.deepEqual(fill(700), [500, 200, 0, 0])
    assert.equal(batch.sources.names.size, 0)
    assert.deepEqual(fill(900), [500, 200, 200, 0])
    assert.equal(batch.sources.names.size, 200)
    for (const at of numbers(7)) {
      batch.addSource(
        { ...HERE, domain: `e${at}.example`, connector: 'contoso/new' },
        'unregistered',
        ACCEPTED,
      )
    }
    assert.equal(rowsIn(batch).length, 901)
    assert.match(rowsIn(batch).at(-1)!.sum, /^7 /)
    assert.equal(rowsIn(batch).at(-1)!.connector, OTHER)
  })

  it('keeps the names of 2,000 domains without a row', () => {
    const batch = new Tally(() => {}).batchOf('contoso')!
    const add = (from: number, to: number): void => {
      for (let at = from; at < to; at++) {
        batch.addSource({ ...HERE, domain: `d${at}.example` }, 'unregistered', ACCEPTED)
      }
    }
    add(0, 2700)
    assert.equal(batch.sources.names.size, 2000)
    add(2600, 2800)
    assert.equal(batch.sources.names.size, 2000)
    const all = rowsIn(batch).map(({ sum }) => Number(sum.split(' ')[0]))
    assert.equal(
      all.reduce((a, b) => a + b),
      2900,
    )
  })

  it('has the owners of 100 foreign domains, and 100 domains in the header From, then one more', () => {
    const tally = new Tally(() => {})
    const batch = tally.batchOf('contoso')!
    for (const at of numbers(103)) {
      batch.addSource({ ...HERE, domain: `d${at}.example` }, 'foreign', ACCEPTED, `t${at}`)
      batch.addHeaderFrom('registered', 'contoso/mx', `d${at}.example`)
      batch.addHeaderFrom('null', 'contoso/mx', `d${at}.example`)
    }
    const others = `${OTHER}\t${OTHER}`
    assert.equal(batch.owned!.rows.size, 101)
    assert.match(String(batch.owned!.rows.get(others)), /^3 /)
    assert.equal(batch.headerFroms.get('registered')!.rows.size, 101)
    assert.equal(batch.headerFroms.get('registered')!.rows.get(others), 3)
    assert.equal(batch.headerFroms.get('registered')!.looked, 103)
    assert.equal(tally.size.entries, batch.entries)
    assert.equal(batch.headerFroms.get('null')!.rows.size, 101)
    assert.equal(batch.entries, 103 + 101 + 101 + 101)
  })

  it('has samples of 100 sources, of 3 messages each', () => {
    const batch = new Tally(() => {}).batchOf('contoso')!
    for (const at of numbers(120)) {
      const source = { ...HERE, domain: `d${at}.example` }
      for (const round of numbers(5)) {
        const isWanted = at < 100 && round < 3
        assert.equal(batch.wantsSample(source), isWanted, `${at} ${round}`)
        if (isWanted) batch.addSample(source, `<${round}@x>`, 'helo')
      }
    }
  })

  it('counts registered mail of 50 connectors, and of the rest together', () => {
    const tally = new Tally(() => {})
    const batch = tally.batchOf('contoso')!
    for (const at of numbers(53)) batch.addTotal('registered', `contoso/c${at}`, ACCEPTED)
    batch.addTotal('registered', 'contoso/c0', ACCEPTED)
    const { rows } = batch.totals.get('registered')!
    assert.equal(rows.size, 51)
    assert.match(String(rows.get('contoso/c0')), /^2 /)
    assert.match(String(rows.get(OTHER)), /^3 /)
    assert.equal(tally.size.entries, batch.entries)
  })

  it('has the use of 1,000 connectors', () => {
    const batch = new Tally(() => {}).batchOf('contoso')!
    for (const at of numbers(1005)) batch.noteConnector(`contoso/c${at}`, 0)
    batch.noteConnector('contoso/c3', 7)
    assert.equal(batch.connectors.size, 1000)
    assert.equal(batch.connectors.get('contoso/c3'), 7)
  })

  it('of mail without a tenant has 500 rows, and the names of 2,000 sources more', () => {
    const batch = new Tally(() => {}).unattributed!
    for (const at of numbers(2600)) {
      batch.add({ ip: `10.0.${at >> 8}.${at & 255}`, user: '', certificate: '' }, ACCEPTED)
    }
    assert.equal(batch.sources.rows.size, 501)
    assert.equal(batch.sources.names.size, 2000)
    assert.match(String(batch.sources.rows.get(`${OTHER}\t${OTHER}\t${OTHER}`)), /^2100 /)
  })
})
