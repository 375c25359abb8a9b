import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Batch } from '../../src/reporting/batch'
import { NOON } from '../support/clock'
import { useRedis } from '../support/registry'
import { ACCEPTED, HALF_PAST, HOUR, numbersOf, Reports } from '../support/reporting'

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
    batch.addSource(SOURCE, 'u', ACCEPTED)
    batch.addSource(SOURCE, 'u', ACCEPTED)
    batch.addRegistered(ACCEPTED)
    const time = await reports.recorder.record('contoso', take(reports), 'p 1')
    assert.equal(time, HALF_PAST)
    for (const key of [reports.hourKey, reports.dayKey]) {
      const [row, ...more] = await reports.rows(key)
      assert.deepEqual(more, [])
      const { counts, ...source } = row!
      assert.deepEqual(source, SOURCE)
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

  it('that has waited says when its mail came, not when it was flushed', async () => {
    const reports = await Reports.create()
    reports.tally.batchOf('contoso')!.addSource(SOURCE, 'u', ACCEPTED)
    const batch = take(reports)
    assert.ok(batch.ended >= batch.begun)
    const [first, last] = [2 * HOUR, HOUR / 2].map((ago) => HALF_PAST - ago)
    Object.assign(batch, { begun: batch.begun - 2 * HOUR, ended: batch.ended - HOUR / 2 })
    await reports.recorder.record('contoso', batch, 'p 1')
    const { client, keys } = reports.store
    assert.equal(await client.exists(reports.hourKey), 0)
    const key = keys.reportHour('contoso', Math.floor(first! / HOUR))
    const [row] = await reports.rows(key)
    // As a process measures it.
    const isAbout = (time: number, expected: number): boolean => Math.abs(time - expected) < 60_000
    assert.ok(isAbout(row!.counts.firstSeen, first!), String(row!.counts.firstSeen - first!))
    assert.ok(isAbout(row!.counts.lastSeen, last!), String(row!.counts.lastSeen - last!))
  })
})
