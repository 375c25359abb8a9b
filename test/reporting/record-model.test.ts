// Random batches of random processes, recorded in random order and more than once, compared with a plain model of the
// reports. The bounds are small, so that each is reached.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { Batch } from '../../src/reporting/batch'
import { daysTtl, HOURS_TTL, MINUTES_TTL, SEEN_TTL } from '../../src/reporting/bounds'
import type { Outcome } from '../../src/reporting/outcome'
import { Recorder } from '../../src/reporting/recorder'
import type { LookedClass, SourceClass } from '../../src/mail/classes'
import { OTHER, type Source } from '../../src/reporting/rows'
import { Tally } from '../../src/reporting/tally'
import { Store } from '../../src/store/store'
import { NOON, TestClock } from '../support/clock'
import { fault, plantInScripts, type Fault } from '../support/faults'
import { newSite, useRedis, type Site } from '../support/registry'
import {
  ReportModel,
  type Bounds,
  type Coverage,
  type Message,
  type ModelReport,
} from '../support/report-model'
import { runs, SEED } from '../support/seed'

useRedis()

const MINUTE = 60_000
const DAYS = 90
const BOUNDS: Bounds = {
  ...{ domains: 4, addresses: 3, users: 2, rows: 5, domainRows: 7, connectorRows: 9 },
  ...{ sampled: 3, samples: 2, connectors: 3 },
  ...{ owned: 2, headerFrom: 2, headerFromRows: 3, minuteRows: 4 },
}

/** Gives the script small bounds, and times exact to the millisecond. */
class BoundedStore extends Store {
  ages = ''

  override run(...[script, keys, args]: Parameters<Store['run']>): Promise<unknown> {
    if (script.name !== 'record') return super.run(script, keys, args)
    const [flush, hour, , ttl, , ...more] = args
    const bounds = Object.values(BOUNDS).join(' ')
    return super.run(script, keys, [flush!, hour!, this.ages, ttl!, bounds, ...more])
  }
}

const ACCEPTED_DOMAINS = [
  { domain: 'own.example', subdomains: true, shared: true },
  { domain: 'exact.example', subdomains: false, shared: true },
]
const isAccepted = (domain: string): boolean =>
  ['own.example', 'exact.example'].includes(domain) || domain.endsWith('.own.example')

const domain = fc.constantFrom(
  ...['a.example', 'b.example', 'c.example', 'd.example', 'e.example', 'f.example', ''],
  ...['own.example', 'a.own.example', 'exact.example', 'a.exact.example', 'notown.example'],
)
const connector = fc.constantFrom('t/mx1', 't/mx2', 't/mx3', '')
const source: fc.Arbitrary<Source> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      domain,
      connector,
      ip: fc.constantFrom(
        '192.0.2.1',
        '192.0.2.2',
        '192.0.2.3',
        '2001:db8::/64',
        '2001:db8:1::/64',
      ),
      user: fc.constantFrom('', 'bob', 'ann'),
    }),
  },
  // A batch without room has it so.
  {
    weight: 1,
    arbitrary: fc.record({ domain, connector }).map((of) => ({ ...of, ip: OTHER, user: OTHER })),
  },
)
const ofDomain = (domain: string): Source => ({
  domain,
  connector: 't/mx1',
  ip: '192.0.2.1',
  user: '',
})
const sourceClass = fc.constantFrom<SourceClass>(
  ...(['unregistered', 'unregistered', 'unregistered', 'foreign', 'forwarded'] as const),
)
const few = fc.nat(3)
const outcome: fc.Arbitrary<Outcome> = fc.record({
  ...{ accepted: few, deferred: few, refused: few, refunded: few },
  message: fc.constantFrom('accepted', 'deferred', 'refused', 'refunded'),
})
const message: fc.Arbitrary<Message> = fc.oneof(
  {
    weight: 1,
    arbitrary: fc.record({
      ...{ kind: fc.constant('registered' as const), connector, outcome },
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('null' as const), connector, outcome }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      ...{ kind: fc.constant('source' as const), source, outcome },
      class: sourceClass,
      // Rows for several sources are not classified again.
      certain: fc.boolean(),
      owner: fc.constantFrom('fabrikam', 'tailspin', ''),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      ...{ kind: fc.constant('crowded' as const), outcome },
      source: fc.record({ domain, connector, ip: fc.constant(OTHER), user: fc.constant(OTHER) }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('sample' as const),
      class: sourceClass,
      // So that some have several.
      source: fc.constantFrom('a.example', 'b.example', 'c.example', 'd.example').map(ofDomain),
      messageId: fc.constantFrom('', '<1@x>', '<2@x>', '<3@x>', '<4@x>'),
      helo: fc.constantFrom('mail.example', ''),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('connector' as const),
      name: fc.constantFrom('mx1', 'mx2', 'mx3', 'mx4', 'mx5'),
      expires: fc.constantFrom(0, 2_000_000_000_000),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      ...{ kind: fc.constant('looked' as const), connector },
      of: fc.constantFrom<LookedClass>('registered', 'registered', 'null'),
      mismatched: fc.option(
        fc.constantFrom('bank.example', 'post.example', 'shop.example', 'x.example', ''),
        { nil: undefined },
      ),
    }),
  },
)

/** One flush: when it is sent, and sent again. */
const flush = fc.record({
  messages: fc.array(message, { minLength: 1, maxLength: 12 }),
  process: fc.nat(1),
  /** Tens of minutes that pass before. */
  later: fc.oneof(fc.nat(3), fc.nat(12), fc.constant(150)),
  /** Tens of minutes for which it has waited, and how many of them it was tallied. */
  waited: fc.nat(8),
  tallied: fc.nat(8),
  /** How often its answer is lost, and when it is sent again. */
  again: fc.constantFrom([], [], [], [0], [1], [0, 9]),
})
type Flush = typeof flush extends fc.Arbitrary<infer T> ? T : never

function coverage(): Coverage {
  const none = { domainRow: 0, connectorRow: 0, everybody: 0, accepted: 0 }
  const full = { fullSamples: 0, fullSeen: 0, fullOwned: 0 }
  return {
    ...none,
    ...full,
    halfRoom: 0,
    fullHeaderFrom: 0,
    fullHeaderFromRows: 0,
    fullMinuteRows: 0,
  }
}

/** A Redis whose clock only moves forward; each run has its own tenant. */
class ModelSite {
  readonly clock = new TestClock()
  readonly site: Site
  readonly covered = coverage()
  private tenants = 0
  private flushes = 0
  private readonly recorders: Recorder[]

  private constructor(scripts: Record<string, string>) {
    this.site = newSite({ ...this.clock.includes, ...scripts }, BoundedStore)
    this.recorders = [0, 1].map(() => new Recorder(this.site.store, () => DAYS))
  }

  static async create(scripts: Record<string, string> = {}): Promise<ModelSite> {
    const made = new ModelSite(scripts)
    // Ten minutes on are never near the end of an hour.
    await made.clock.set(made.site.store, NOON + 5 * MINUTE)
    return made
  }

  property(): fc.IAsyncProperty<unknown> {
    return fc.asyncProperty(fc.array(flush, { minLength: 1, maxLength: 12 }), async (flushes) => {
      const tenant = `t${++this.tenants}`
      await this.site.registry.tenants.add(tenant, {}, 'test')
      await this.site.registry.domains.add(tenant, ACCEPTED_DOMAINS, 'test')
      const model = new ReportModel(BOUNDS, isAccepted, this.covered)
      for (const each of flushes) await this.flush(tenant, model, each)
      await this.compare(tenant, model)
    })
  }

  private async flush(tenant: string, model: ReportModel, planned: Flush): Promise<void> {
    const { clock } = this
    const store = this.site.store as BoundedStore
    await clock.advance(store, planned.later * 10 * MINUTE)
    const last = clock.now - planned.waited * 10 * MINUTE
    const first = last - planned.tallied * 10 * MINUTE
    const name = `p${planned.process} ${++this.flushes}`
    const recorder = this.recorders[planned.process]!
    const batch = batchOf(planned.messages)
    model.add(planned.messages, first, last)
    for (const wait of [0, ...planned.again]) {
      await clock.advance(store, wait * 10 * MINUTE)
      store.ages = `${clock.now - first} ${clock.now - last}`
      const begun = performance.now() - (clock.now - first)
      const sent = Object.assign(Object.create(batch) as Batch, { begun })
      assert.equal(await recorder.record(tenant, sent, name), clock.now)
    }
  }

  private async compare(tenant: string, model: ReportModel): Promise<void> {
    const { client, keys } = this.site.store
    const hours = [...model.hours].map(([number, report]) =>
      this.compareReport(keys.reportHour(tenant, number), report, new Map(), HOURS_TTL),
    )
    const numbers = [...new Set([...model.totals.keys(), ...model.looked.keys()])]
    const days = numbers.map((number) =>
      this.compareReport(
        keys.reportDay(tenant, number),
        model.days.get(number) ?? { rows: new Map(), others: new Set() },
        new Map([...(model.totals.get(number) ?? []), ...(model.looked.get(number) ?? [])]),
        daysTtl(DAYS),
      ),
    )
    const samples = [...model.samples].map(async ([number, lines]) => {
      const entries = [...lines].map(([field, each]) => [field, each.join('\n')])
      const found = await this.hash(keys.samples(tenant, number), daysTtl(DAYS))
      assert.deepEqual(found, Object.fromEntries(entries), 'samples')
    })
    const minutes = [...model.minutes].map(async ([number, rows]) => {
      const found = await this.hash(keys.reportMinutes(tenant, number), MINUTES_TTL)
      assert.deepEqual(found, packedMinutes(rows), 'minutes')
    })
    await Promise.all([...hours, ...days, ...samples, ...minutes])
    assert.deepEqual(await this.hash(keys.seen(tenant), SEEN_TTL), packed(model.seen), 'seen')
    await this.assertTtl(keys.flushes(tenant), HOURS_TTL)
    // No other key of the tenant exists.
    const all = await client.keys(`${keys.prefix}{${tenant}}:*`)
    const reports = all.filter((key) => /:(report|samples)/.test(key) && !key.endsWith(':others'))
    const expected = [hours, days, samples, minutes].flat().length
    assert.equal(reports.length, expected)
  }

  private async compareReport(
    key: string,
    { rows, others }: ModelReport,
    totals: ReadonlyMap<string, readonly number[]>,
    ttl: number,
  ): Promise<void> {
    assert.deepEqual(await this.hash(key, ttl), { ...packed(totals), ...packed(rows) }, 'rows')
    await this.compareOthers(this.site.store.keys.reportOthers(key), others, ttl)
  }

  private async compareOthers(
    key: string,
    others: ReadonlySet<string>,
    ttl: number,
  ): Promise<void> {
    const { client } = this.site.store
    if (others.size === 0) return assert.equal(await client.exists(key), 0, 'others')
    const expected = `${key}:expected`
    await client.pfadd(expected, ...others)
    const counts = [key, expected].map((each) => client.pfcount(each))
    const [found, count, both] = await Promise.all([...counts, client.pfcount(key, expected)])
    assert.deepEqual([found, both], [count, count], 'others')
    await client.del(expected)
    await this.assertTtl(key, ttl)
  }

  private async hash(key: string, ttl: number): Promise<Record<string, string>> {
    const fields = await this.site.store.client.hgetall(key)
    if (Object.keys(fields).length > 0) await this.assertTtl(key, ttl)
    return fields
  }

  private async assertTtl(key: string, ttl: number): Promise<void> {
    const left = await this.site.store.client.pttl(key)
    assert.ok(left > ttl - 10 * MINUTE && left <= ttl, `${key} is kept for ${left} of ${ttl} ms`)
  }
}

/** As a process has it. */
function batchOf(messages: readonly Message[]): Batch {
  const batch = new Tally(() => {}).batchOf('t')!
  for (const each of messages) {
    if (each.kind === 'registered' || each.kind === 'null') {
      batch.addTotal(each.kind, each.connector, each.outcome)
    } else if (each.kind === 'source') addSource(batch, each)
    else if (each.kind === 'looked') batch.addHeaderFrom(each.of, each.connector, each.mismatched)
    else if (each.kind === 'crowded') {
      batch.addSource({ ...each.source, domain: OTHER }, 'unregistered', each.outcome)
      if (each.source.domain !== '') batch.sources.name(each.source.domain, Infinity)
    } else if (each.kind === 'sample') {
      batch.addSample(each.source, each.messageId, each.helo, each.class)
    } else batch.noteConnector(`t/${each.name}`, each.expires)
  }
  return batch
}

function addSource(batch: Batch, message: Extract<Message, { kind: 'source' }>): void {
  const { source, class: of, certain, owner, outcome } = message
  batch.addSource(source, of === 'unregistered' && !certain ? 'unknown' : of, outcome, owner)
}

function packed(rows: ReadonlyMap<string, readonly number[]>): Record<string, string> {
  return Object.fromEntries([...rows].map(([field, numbers]) => [field, numbers.join(' ')]))
}

function packedMinutes(
  rows: ReadonlyMap<string, ReadonlyMap<number, readonly number[]>>,
): Record<string, string> {
  const text = (row: ReadonlyMap<number, readonly number[]>): string =>
    [...row].map(([minute, numbers]) => `\n${minute} ${numbers.join(' ')}`).join('')
  return Object.fromEntries([...rows].map(([field, row]) => [field, text(row)]))
}

const RECORD = 'src/reporting/lua/record.lua'
const CLASSES = 'mail/classes'
const TALLIES = 'src/reporting/lua/include/tallies.lua'
const ALWAYS_SAME = 1
/** Runs within which a planted fault must show. */
const SOON = 100

const FAULTS: readonly Fault[] = [
  fault(
    'one value too many',
    RECORD,
    'contents.distinct[kind] < most',
    'contents.distinct[kind] <= most',
  ),
  fault(
    'one row too many',
    RECORD,
    'rows < share(class, MOST_ROWS)',
    'rows <= share(class, MOST_ROWS)',
  ),
  fault(
    'one row by domain too many',
    RECORD,
    'rows < share(class, MOST_DOMAIN_ROWS)',
    'rows <= share(class, MOST_DOMAIN_ROWS)',
  ),
  fault(
    'one row by connector too many',
    RECORD,
    'rows < share(class, MOST_CONNECTOR_ROWS)',
    'rows <= share(class, MOST_CONNECTOR_ROWS)',
  ),
  fault(
    'one source with samples too many',
    RECORD,
    '< share(class, MOST_SAMPLED)',
    '<= share(class, MOST_SAMPLED)',
  ),
  fault(
    'forwards that take all the room',
    RECORD,
    'if HALF[class] then return',
    'if false then return',
  ),
  fault('foreign rows that do not count', CLASSES, '[sxf]', '[sf]'),
  fault('forwarded rows that do not count', CLASSES, '[sxf]', '[sx]'),
  fault('foreign mail in the rows of unregistered mail', CLASSES, "x = 'x'", "x = 's'"),
  fault('forwarded mail in the rows of unregistered mail', CLASSES, "f = 'f'", "f = 's'"),
  fault(
    'foreign and forwarded mail counted as unregistered',
    RECORD,
    '    add_total(class, connector, numbers)\n    sources',
    "    add_total('u', connector, numbers)\n    sources",
  ),
  fault('one foreign domain too many', RECORD, 'count() < MOST_OWNED', 'count() <= MOST_OWNED'),
  fault(
    'foreign domains of a flush that do not count',
    RECORD,
    'count(1)\n      else',
    'count()\n      else',
  ),
  fault(
    'foreign domains beyond the bound that begin anew',
    RECORD,
    "field = OTHERS\n        known = redis.call('HGET', day_key, field)",
    'field = OTHERS',
  ),
  fault(
    'one domain in the header From too many',
    RECORD,
    'count() < MOST_HEADER_FROM then',
    'count() <= MOST_HEADER_FROM then',
  ),
  fault(
    'one row of the header From too many',
    RECORD,
    'count() < MOST_HEADER_FROM_ROWS then',
    'count() <= MOST_HEADER_FROM_ROWS then',
  ),
  fault(
    'header From rows that are there already counted by connector',
    RECORD,
    "if redis.call('HEXISTS', day_key, own) == 1 then return own end",
    '',
  ),
  fault(
    'what was looked at before forgotten',
    RECORD,
    "local sums = numbers_of(redis.call('HGET', day_key, of_hour))",
    'local sums = {}',
  ),
  fault(
    'checked header Froms never expire',
    RECORD,
    "redis.call('PEXPIRE', day_key, days_ttl)\nend\n\nlocal function note_connectors",
    'end\n\nlocal function note_connectors',
  ),
  fault('one row of minutes too many', RECORD, '>= MOST_MINUTE_ROWS', '> MOST_MINUTE_ROWS'),
  fault(
    'minutes of all others forgotten',
    RECORD,
    "row = string.match(of, '^[^\\t]*\\t') .. OTHER",
    '',
  ),
  fault('a minute that begins anew', RECORD, 'sums_of(known, numbers)', "sums_of('', numbers)"),
  fault('a minute found in the middle of a number', RECORD, "'\\n%d '", "'%d '"),
  fault('minutes kept for ever', RECORD, "redis.call('PEXPIRE', minutes_key, minutes_ttl)", ''),
  fault('minutes of one connector', RECORD, "class .. '\\t' .. connector", "class .. '\\t'"),
  fault('one sample too many', RECORD, '>= MOST_SAMPLES', '> MOST_SAMPLES'),
  fault('one connector too many', RECORD, 'room > 0', 'room >= 0'),
  fault('(other) counted as a domain', RECORD, 'if value == OTHER or', 'if'),
  fault('addresses that are not counted', RECORD, "note(contents, 'addresses', ip)", ''),
  fault('users that are not counted', RECORD, "note(contents, 'users', user)", ''),
  fault('a row shared by two sources lost', RECORD, 'if values[field] == nil then', 'do'),
  fault('domains without a row forgotten', RECORD, 'others[#others + 1] = domain', ''),
  fault(
    'domains that a process had no room for forgotten',
    RECORD,
    'others[#others + 1] = name',
    '',
  ),
  fault(
    'a domain above that covers without its subdomains',
    RECORD,
    "string.match(entry, '^%l*s')",
    'true',
  ),
  fault('a domain above that covers nothing', RECORD, "string.match(name, '%.(.*)$') or ''", "''"),
  fault(
    'what is accepted counted as unregistered',
    RECORD,
    'add_total(PASSING, connector, numbers)',
    'add_total(USUAL, connector, numbers)',
  ),
  fault(
    'a sample without a Message-ID kept',
    RECORD,
    "if string.sub(text, 1, 1) == '\\t' then return sample end",
    '',
  ),
  fault('connectors that begin anew', RECORD, 'seen[1] or first', 'first'),
  fault('samples kept for ever', RECORD, "redis.call('PEXPIRE', samples_key, days_ttl)", ''),
  fault(
    'rows kept for ever',
    TALLIES,
    "if #pairs_of > 0 then redis.call('PEXPIRE', key, ttl) end",
    '',
  ),
  fault(
    'others kept for ever',
    TALLIES,
    "if #names > 0 then redis.call('PEXPIRE', key, ttl) end",
    '',
  ),
  fault(
    'hours kept as long as days',
    RECORD,
    'set_fields(hour_key, fields, hours_ttl)',
    'set_fields(hour_key, fields, days_ttl)',
  ),
  fault(
    'days kept as long as hours',
    RECORD,
    'set_fields(day_key, fields, days_ttl)\nend',
    'set_fields(day_key, fields, hours_ttl)\nend',
  ),
  fault(
    'connectors kept as long as hours',
    RECORD,
    'set_fields(seen_key, fields, seen_ttl)',
    'set_fields(seen_key, fields, hours_ttl)',
  ),
  fault(
    'others of a day kept as long as hours',
    RECORD,
    'add_names(day_others_key, others, days_ttl)',
    'add_names(day_others_key, others, hours_ttl)',
  ),
  fault(
    'flushes kept for ever',
    TALLIES,
    "redis.call('PEXPIRE', key, ttl)\n  if redis",
    'if redis',
  ),
  fault('a flush that counts twice', TALLIES, '>= tonumber(number)', '> tonumber(number)'),
  fault(
    'flushes of processes not told apart',
    TALLIES,
    "redis.call('HGET', key, process)",
    "redis.call('HGET', key, 'p0')",
  ),
  fault('the first time lost', TALLIES, 'math.min(sums[9] or first, first)', 'first'),
  fault('the last time lost', TALLIES, 'math.max(sums[10] or last, last)', 'last'),
]

describe('reports after random batches', () => {
  it('equal those of a plain model', async (t) => {
    t.diagnostic(`seed ${SEED}`)
    const site = await ModelSite.create()
    await fc.assert(site.property(), { seed: SEED, numRuns: runs(120) })
    t.diagnostic(JSON.stringify(site.covered))
    for (const [what, times] of Object.entries(site.covered)) assert.ok(times > 0, what)
  })

  // Tests of the test.
  for (const { what, edits } of FAULTS) {
    it(`differ from the model with a fault planted: ${what}`, async (t) => {
      const site = await ModelSite.create(plantInScripts(edits))
      const { failed, numRuns, errorInstance } = await fc.check(site.property(), {
        ...{ numRuns: SOON, seed: ALWAYS_SAME, endOnFailure: true },
      })
      assert.ok(failed, `not found in ${SOON} runs`)
      if (!(errorInstance instanceof assert.AssertionError)) throw errorInstance
      t.diagnostic(`in run ${numRuns}`)
    })
  }
})
