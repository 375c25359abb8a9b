import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Batch } from '../../src/reporting/batch'
import { NOON } from '../support/clock'
import { useRedis } from '../support/registry'
import { readForeign } from '../../src/reporting/foreign'
import { readHeaderFroms } from '../../src/reporting/header-from'
import { ReportReader } from '../../src/reporting/reader'
import { ACCEPTED, DAY, HALF_PAST, HOUR, numbersOf, REFUSED, Reports } from '../support/reporting'

useRedis()

const SOURCE = {
  domain: 'other.example',
  connector: 'contoso/mx1',
  ip: '192.0.2.1',
  user: 'alice@contoso.com',
}

function take(reports: Reports): Batch {
  return reports.tally.take('contoso') as Batch
}

describe('a batch', () => {
  it('is added to the hour, the day and the total', async () => {
    const reports = await Reports.create()
    const batch = reports.tally.batchOf('contoso')!
    batch.addSource(SOURCE, 'unregistered', ACCEPTED)
    batch.addSource(SOURCE, 'unregistered', ACCEPTED)
    batch.addTotal('registered', 'contoso/mx1', ACCEPTED)
    const time = await reports.recorder.record('contoso', take(reports), 'p 1')
    assert.equal(time, HALF_PAST)
    for (const key of [reports.hourKey, reports.dayKey]) {
      const [row, ...more] = await reports.rows(key)
      assert.deepEqual(more, [])
      const { counts, ...source } = row!
      assert.deepEqual(source, { class: 'unregistered', ...SOURCE })
      assert.deepEqual(numbersOf(counts), [2, 0, 0, 0, 2, 0, 0, 0])
    }
    const totals = (await reports.totals()).map(({ counts, ...of }) => ({
      ...of,
      numbers: numbersOf(counts),
    }))
    const hour = Math.floor(NOON / HOUR) % 24
    assert.deepEqual(
      totals.sort((a, b) => a.class.localeCompare(b.class)),
      [
        { hour, class: 'registered', numbers: [1, 0, 0, 0, 1, 0, 0, 0] },
        { hour, class: 'unregistered', numbers: [2, 0, 0, 0, 2, 0, 0, 0] },
      ],
    )
  })

  it('that has waited records when its mail came, not when it was flushed', async () => {
    const reports = await Reports.create()
    reports.tally.batchOf('contoso')!.addSource(SOURCE, 'unregistered', ACCEPTED)
    const batch = take(reports)
    assert.ok(batch.ended >= batch.begun)
    const [first, last] = [2 * HOUR, HOUR / 2].map((ago) => HALF_PAST - ago)
    Object.assign(batch, { begun: batch.begun - 2 * HOUR, ended: batch.ended - HOUR / 2 })
    await reports.recorder.record('contoso', batch, 'p 1')
    const { client, keys } = reports.store
    assert.equal(await client.exists(reports.hourKey), 0)
    const key = keys.reportHour('contoso', Math.floor(first! / HOUR))
    const [row] = await reports.rows(key)
    // A process measures ages with its own clock.
    const isAbout = (time: number, expected: number): boolean => Math.abs(time - expected) < 60_000
    assert.ok(isAbout(row!.counts.firstSeen, first!), String(row!.counts.firstSeen - first!))
    assert.ok(isAbout(row!.counts.lastSeen, last!), String(row!.counts.lastSeen - last!))
  })

  it('has separate rows for foreign, forwarded and unregistered mail of one source', async () => {
    const reports = await Reports.create()
    const batch = reports.tally.batchOf('contoso')!
    batch.addSource(SOURCE, 'unregistered', ACCEPTED)
    batch.addSource(SOURCE, 'foreign', ACCEPTED, 'fabrikam')
    batch.addSource(SOURCE, 'foreign', REFUSED, 'fabrikam')
    batch.addSource(SOURCE, 'forwarded', ACCEPTED)
    for (const kind of ['unregistered', 'foreign', 'forwarded'] as const) {
      assert.ok(batch.wantsSample(SOURCE, kind))
      batch.addSample(SOURCE, `<${kind}@x>`, 'helo', kind)
    }
    await reports.recorder.record('contoso', take(reports), 'p 1')
    for (const key of [reports.hourKey, reports.dayKey]) {
      const rows = await reports.rows(key)
      assert.deepEqual(
        rows.map((row) => [
          row.class,
          row.domain,
          row.counts.accepted,
          row.counts.messages.refused,
        ]),
        [
          ['unregistered', SOURCE.domain, 1, 0],
          ['foreign', SOURCE.domain, 1, 1],
          ['forwarded', SOURCE.domain, 1, 0],
        ],
      )
    }
    const reader = new ReportReader(reports.store)
    const span = ['contoso', HALF_PAST - DAY, HALF_PAST + 1] as const
    const [hour] = await reader.hours(...span)
    assert.deepEqual(
      (['unregistered', 'foreign', 'forwarded', 'registered', 'null'] as const).map((each) =>
        numbersOf(hour![each]),
      ),
      [
        [1, 0, 0, 0, 1, 0, 0, 0],
        [1, 0, 0, 0, 1, 0, 1, 0],
        [1, 0, 0, 0, 1, 0, 0, 0],
        [0, 0, 0, 0, 0, 0, 0, 0],
        [0, 0, 0, 0, 0, 0, 0, 0],
      ],
    )
    const samples = await reader.samples(...span)
    assert.deepEqual(
      samples.map((sample) => [sample.class, sample.messageId]),
      [
        ['unregistered', '<unregistered@x>'],
        ['foreign', '<foreign@x>'],
        ['forwarded', '<forwarded@x>'],
      ],
    )
    const [owned, ...more] = await readForeign(reader, ...span)
    assert.deepEqual(more, [])
    assert.deepEqual([owned!.domain, owned!.owner], [SOURCE.domain, 'fabrikam'])
    assert.deepEqual(numbersOf(owned!.counts), [1, 0, 0, 0, 1, 0, 1, 0])
  })

  it('records how many header Froms were checked, and the mismatched domains', async () => {
    const reports = await Reports.create()
    for (const flush of [1, 2]) {
      const batch = reports.tally.batchOf('contoso')!
      batch.addHeaderFrom('registered', 'contoso/mx1', undefined)
      batch.addHeaderFrom('registered', 'contoso/mx1', 'bank.example')
      batch.addHeaderFrom('registered', '', '')
      batch.addHeaderFrom('null', 'contoso/mx1', 'lure.example')
      await reports.recorder.record('contoso', take(reports), `p ${flush}`)
    }
    const reader = new ReportReader(reports.store)
    const day = Math.floor(HALF_PAST / DAY) * DAY
    assert.deepEqual(await readHeaderFroms(reader, 'contoso', HALF_PAST, HALF_PAST + 1), {
      ...{ from: day, to: day + DAY, looked: 6, mismatched: 4 },
      domains: [
        { domain: 'bank.example', connector: 'contoso/mx1', messages: 2 },
        { domain: '', connector: '', messages: 2 },
      ],
    })
    // Nothing else of that day would end it.
    const left = await reports.store.client.pttl(reports.dayKey)
    assert.ok(left > 90 * DAY, String(left))
    const [hour] = await reader.hours('contoso', HALF_PAST, HALF_PAST + 1)
    assert.deepEqual(hour!.headerFrom, { looked: 6, mismatched: 4 })
    assert.deepEqual(hour!.nullHeaderFrom, { looked: 2, mismatched: 2 })
    const ofNull = await readHeaderFroms(reader, 'contoso', HALF_PAST, HALF_PAST + 1, 'null')
    assert.deepEqual(ofNull.domains, [
      { domain: 'lure.example', connector: 'contoso/mx1', messages: 2 },
    ])
  })

  it('reads reports that are older than these classes', async () => {
    const reports = await Reports.create()
    const { client } = reports.store
    const row = `s\tlure.example\tcontoso/mx\t192.0.2.1\t`
    await client.hset(reports.dayKey, row, '3 0 0 0 3 0 0 0 1 2', 't\t12\tu', '3 0 0 0 3 0 0 0 1 2')
    const [found] = await reports.rows(reports.dayKey)
    assert.deepEqual([found!.class, found!.domain], ['unregistered', 'lure.example'])
    const reader = new ReportReader(reports.store)
    const [hour] = await reader.hours('contoso', HALF_PAST - DAY, HALF_PAST + DAY)
    assert.deepEqual(
      [hour!.unregistered.accepted, hour!.foreign.accepted, hour!.headerFrom],
      [3, 0, { looked: 0, mismatched: 0 }],
    )
  })
})
