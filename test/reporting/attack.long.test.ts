// A compromised tenant sends from a million random domains: the memory that takes in Redis and in the process.
import type { SourceClass } from '../../src/mail/classes'
import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import type { Batch } from '../../src/reporting/batch'
import * as bounds from '../../src/reporting/bounds'
import type { Source } from '../../src/reporting/rows'
import { randomFrom } from '../support/load'
import { useRedis } from '../support/registry'
import { ACCEPTED, HOUR, MINUTE, Reports } from '../support/reporting'

useRedis()

const FLUSHES = 10

interface Attack {
  readonly hours: number
  /** In an hour. */
  readonly messages: number
  readonly source: (random: () => number) => Source
  readonly kinds: readonly SourceClass[]
  /** Of foreign mail. */
  readonly owner: string
  /** Whether the header From of each is counted, too. */
  readonly headerFrom: boolean
  readonly messageId: string
  readonly helo: string
}

/** One of `many` texts of a length in octets. */
function oneOf(many: number, octets: number, random: () => number): string {
  return Math.floor(random() * many)
    .toString(36)
    .padStart(octets, 'x')
}

/** Random domains, from a /48 of addresses. */
const MILLION: Attack = {
  ...{ hours: 50, messages: 20_000 },
  source: (random) => ({
    domain: `${random().toString(36).slice(2)}.example`,
    connector: 'contoso/mx',
    ip: `2001:db8:1:${Math.floor(random() * 65_536).toString(16)}::/64`,
    user: '',
  }),
  ...{ kinds: ['unregistered'], owner: '', headerFrom: false },
  messageId: `<${'i'.repeat(60)}@id.example>`,
  helo: 'mail.contoso.example',
}

/** Texts of maximum length, varied enough to fill all rows. */
const WORST: Attack = {
  ...{ hours: 8, messages: 5000 },
  source: (random) => ({
    domain: `${oneOf(150, 61, random)}${`.${'x'.repeat(63)}`.repeat(3)}`,
    connector: `contoso/${oneOf(1200, 63, random)}`,
    ip: `2001:db8:1111:${(4096 + Math.floor(random() * 70)).toString(16)}::/64`,
    user: oneOf(70, bounds.LONGEST_USER, random),
  }),
  ...{ kinds: ['unregistered', 'foreign', 'forwarded'], owner: 'o'.repeat(63), headerFrom: true },
  messageId: 'i'.repeat(bounds.LONGEST_MESSAGE_ID),
  helo: 'h'.repeat(bounds.LONGEST_HELO),
}

/** Counts and flushes all of it, hour by hour. */
async function attack(reports: Reports, plan: Attack, random: () => number): Promise<number> {
  const { tally, recorder } = reports
  let mostEntries = 0
  for (let flush = 1; flush <= plan.hours * FLUSHES; flush++) {
    const batch = tally.batchOf('contoso')!
    for (let at = 0; at < plan.messages / FLUSHES; at++) {
      const source = plan.source(random)
      batch.noteConnector(source.connector, 2e12)
      const kind = plan.kinds[at % plan.kinds.length]!
      batch.addSource(source, kind, ACCEPTED, plan.owner)
      batch.addTotal(at % 2 ? 'registered' : 'null', source.connector, ACCEPTED)
      for (const of of plan.headerFrom ? (['registered', 'null'] as const) : []) {
        batch.addHeaderFrom(of, source.connector, source.domain)
      }
      if (batch.wantsSample(source, kind)) {
        batch.addSample(source, plan.messageId, plan.helo, kind)
      }
    }
    mostEntries = Math.max(mostEntries, tally.size.entries)
    const taken = tally.take('contoso') as Batch
    assert.notEqual(await recorder.record('contoso', taken, `p ${flush}`), 'gone')
    tally.release(taken)
    // Each flush of an hour is in a minute of its own.
    await reports.advance(flush % FLUSHES === 0 ? HOUR - (FLUSHES - 1) * MINUTE : MINUTE)
  }
  return mostEntries
}

/** The bytes of the tenant's reports, and their numbers of hours and days. */
async function measure(reports: Reports): Promise<{ bytes: number; hours: number; days: number }> {
  const { client, keys } = reports.store
  const all = await client.keys(`${keys.prefix}{contoso}:*`)
  const recorded = all.filter((key) => /:(report|samples|flushes|seen)/.test(key))
  let bytes = 0
  for (const key of recorded) {
    bytes += Number(await client.call('MEMORY', 'USAGE', key, 'SAMPLES', '0'))
    assert.ok((await client.pttl(key)) > 0, `${key} has no end`)
  }
  const count = (pattern: RegExp): number => recorded.filter((key) => pattern.test(key)).length
  return { bytes, hours: count(/:h\d+$/), days: count(/:report:d\d+$/) }
}

async function staysBelow(t: TestContext, plan: Attack): Promise<void> {
  const seed = Date.now() % 2 ** 31
  const reports = await Reports.create()
  const mostEntries = await attack(reports, plan, randomFrom(seed))
  assert.ok(mostEntries <= bounds.MOST_ENTRIES, `${mostEntries} entries`)
  assert.deepEqual(reports.tally.size, { batches: 0, entries: 0 })
  assert.deepEqual(reports.dropped, [])

  const { bytes, hours, days } = await measure(reports)
  const ceiling = bounds.mostBytes(hours, days)
  t.diagnostic(
    `seed ${seed}: ${bytes} bytes in ${hours} hours and ${days} days, of ${ceiling} at most; ` +
      `${mostEntries} entries in the process`,
  )
  assert.equal(hours, plan.hours)
  assert.ok(bytes < ceiling, `${bytes} bytes, more than ${ceiling}`)

  // The last hour, in which the clock stood still.
  const hour = Math.floor(reports.clock.now / HOUR) - 1
  const rows = await reports.rows(reports.store.keys.reportHour('contoso', hour))
  assert.ok(rows.length <= bounds.MOST_CONNECTOR_ROWS + 3, `${rows.length} rows`)
  const sum = rows.reduce((all, { counts }) => all + counts.accepted, 0)
  assert.equal(sum, plan.messages)
}

describe('the reports of a tenant under attack', () => {
  it('stay below their ceiling with a million random domains', async (t) => {
    await staysBelow(t, MILLION)
  })

  it('stay below their ceiling with the longest names in every row', async (t) => {
    await staysBelow(t, WORST)
  })
})

it('the ceiling is the one that the documentation states', () => {
  const days = 90
  const most = bounds.mostBytes(bounds.HOURS_KEPT * 24 + 1, days + 2)
  assert.equal(Math.ceil(most / 1e6), 133)
})
