// Two installations on one Redis, separated only by the prefix of their keys.
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { after, before, describe, it } from 'node:test'
import { startRedis, type TestRedis } from '../../scripts/services/redis'
import { scratchDir } from '../../scripts/services/scratch'
import { waitFor } from '../../scripts/services/wait-for'
import { AlertQueue } from '../../src/alerts/queue'
import { SCHEDULE } from '../../src/alerts/schedule'
import { freezeEvidence } from '../../src/cases/freeze'
import { loadConfig } from '../../src/process/config-file'
import type { RestrictedEvent } from '../../src/records/event'
import { resolveEnded } from '../../src/events/sweep'
import { defaultsOf } from '../../src/allowance/defaults'
import { Engine } from '../../src/process/engine'
import { DAY } from '../../src/reporting/calendar'
import { UNATTRIBUTED } from '../../src/reporting/tally'
import { UnusualMonitor } from '../../src/unusual/monitor'
import { DEFAULTS } from '../support/allowance'
import { tenantctl } from '../cli/cli'
import { settingsFor } from '../support/connection'
import { entriesOf } from '../support/contents'
import { ACCEPTED } from '../support/reporting'

/** Prefixes that a pattern or the start of a name could confuse, in both orders. */
const PAIRS: readonly (readonly [string, string])[] = [
  ['ud:', 'ud:x:'],
  ['u', 'ud:'],
  ['', 'ud:'],
  ['a*:', 'ab:'],
  ['a?:', 'ab:'],
  ['[ab]:', 'a:'],
  ['a\\:', 'a:'],
  ['^a', 'a'],
  ['UD:', 'ud:'],
]

describe('two installations on one Redis', () => {
  let redis: TestRedis
  before(async () => {
    redis = await startRedis()
  })
  after(() => redis.stop())

  async function run(prefix: string, line: string, status = 0): Promise<void> {
    const args = ['--redis', redis.url, '--prefix', prefix, ...line.split(' ')]
    const result = await tenantctl(args)
    assert.equal(result.status, status, `${line}: ${result.err}`)
  }

  const domains = { one: 'one.example', two: 'two.example' }

  async function fill(prefix: string, id: keyof typeof domains): Promise<void> {
    await run(prefix, `tenant add ${id} --limits 2/1h`)
    await run(prefix, `tenant add other --limits 2/1h`)
    await run(prefix, `domain add ${id} ${domains[id]} both.example`)
    await run(prefix, `domain add other other.example`)
    await run(prefix, `connector add ${id} mx --ip 192.0.2.1`)
    await run(prefix, `connector add other mx --ip 192.0.2.2`)
    await run(prefix, 'connector block other mx --reason x')
    await run(prefix, 'block other --reason x')
    await run(prefix, 'case note other:1 x')
    await run(prefix, 'alert test')
  }

  /** A process with the connectors in its cache. */
  async function withEngine(prefix: string, use: (engine: Engine) => Promise<void>): Promise<void> {
    const engine = new Engine(settingsFor(redis, { prefix }), {
      ...{ onReady: nothing, onRestriction: nothing, onError: nothing },
      ...{ onRedisError: nothing, onDrop: nothing },
    })
    try {
      engine.follow()
      await waitFor(() => engine.directory.connectors)
      await use(engine)
    } finally {
      engine.leader.stop()
      engine.directory.stop()
      engine.store.client.disconnect()
    }
  }

  /** The work of processes besides counting: reports, events, evidence, alerts, and the check for unusual mail. */
  async function doDuties(engine: Engine, id: string): Promise<void> {
    const { store, ledger, tally, forwarder, leader } = engine
    const { client, keys } = store
    const source = { domain: 'lure.example', connector: `${id}/mx`, ip: '192.0.2.1', user: '' }
    const batch = tally.batchOf(id)!
    batch.noteConnector(`${id}/mx`, 0)
    batch.addSource(source, 'unregistered', ACCEPTED)
    batch.addSample(source, '<1@lure.example>', 'lure.example')
    tally.unattributed!.add({ ip: '192.0.2.9', user: '', certificate: '' }, ACCEPTED)
    await engine.flushReports(id)
    await engine.flushReports(UNATTRIBUTED)

    const config = loadConfig(undefined).config
    await resolveEnded(store, forwarder, () => defaultsOf(config)).run()
    await new UnusualMonitor(store, () => config, nothing).run()
    // Moves waiting events of tenants to the stream.
    leader.start()
    await waitFor(async () => !(await client.hexists(keys.tenant('other'), 'events')))
    leader.stop()
    await waitFor(async () => !(await client.exists(keys.leader)))
    const flush = (): Promise<void> => Promise.resolve()
    const event: RestrictedEvent = {
      ...({ kind: 'restricted', scope: 'unregistered' } as const),
      ...{ id: 'evt_0', at: Date.now() - 5000, case: 'other:1', by: 'ann', reason: 'x' },
    }
    await freezeEvidence({ store, config, ledger, flush }, 'other', event)
    await new AlertQueue(store, 'webhook', SCHEDULE).turn(new Map(), 1)
    for (const key of [
      ...[keys.flushes(id), keys.seen(id), keys.unattributedFlushes, keys.reported],
      ...[keys.recordedSince, keys.events, keys.eventIds, keys.eventGroups, keys.eventsDue],
      ...[keys.eventsOpen, keys.caseIndex, keys.caseOf('other', 1), keys.evidence('other', 1)],
      ...[keys.audit(id), keys.tenantsAudit, keys.connectorsAudit],
      keys.mailIndex(Math.floor(Date.now() / DAY)),
    ]) {
      assert.equal(await client.exists(key), 1, key)
    }
  }

  /** Everything that an operator and a process do, and what an interrupted one leaves for doctor to repair. */
  async function doAll(prefix: string, id: string): Promise<void> {
    const client = redis.client()
    const file = path.join(scratchDir('prefixes'), 't.yaml')
    writeFileSync(file, 'id: site\ntenants: { filed: { domains: [filed.example] } }\n')
    await run(prefix, `apply ${file}`)
    writeFileSync(file, 'id: site\ntenants: {}\n')
    await run(prefix, `apply ${file} --prune`)

    await withEngine(prefix, async (engine) => {
      await doDuties(engine, id)
      const domainsToken = (await engine.directory.load(id))?.domainsToken ?? ''
      for (const transaction of ['T.1', 'T.2', 'T.3']) {
        const charge = { tenant: id, meter: 'unregistered', transaction, ordinal: 1 } as const
        const from = { domainsToken, domain: 'lure.example', connector: '', ip: '' }
        await engine.ledger.charge({ ...charge, ...from }, DEFAULTS)
      }
      engine.refund(id, 'T.1', [1])
      engine.indexRestriction(id)
      await waitFor(async () => (await engine.restrictions.list()).length === 2)
    })

    await run(prefix, `case check ${id}:1 servers --note x`)
    await run(prefix, `unblock ${id} --reason cleaned --limits 1/1h --for 7d`)
    await run(prefix, `case close ${id}:1 --note x`)
    await run(prefix, `connector block ${id} mx --reason x`)
    await run(prefix, `connector unblock ${id} mx --reason x`)
    await run(prefix, `domain move both.example other`)
    await run(prefix, `connector disable ${id} mx`)
    await run(prefix, `connector remove ${id} mx`)
    await run(prefix, `domain remove ${id} ${id}.example`)
    // As after a crash: the indexes are missing.
    await client.del(`${prefix}{@tenants}`, `${prefix}{@restricted}`, `${prefix}{@owners}:index`)
    await run(prefix, `doctor --repair --config ${scratchDir('config')}`, 1)
    assert.deepEqual((await client.smembers(`${prefix}{@tenants}`)).sort(), [id, 'other'].sort())
    assert.deepEqual(await client.smembers(`${prefix}{@restricted}`), ['other'])
    const saved = path.join(scratchDir('prefixes'), 'all.jsonl')
    for (const line of [
      ...['tenant list', 'status', 'restricted', 'connector list', 'report', 'unattributed'],
      'find lure',
      ...['events', 'evidence other', 'unusual', 'audit', 'case list --all', 'case show other:1'],
      ...[`suggest ${id} --dns 127.0.0.1:1`, `backup ${saved}`, `restore ${saved} --force`],
      ...[`tenant remove ${id} --purge`, 'tenant list', 'audit', 'events', 'init --force'],
    ]) {
      await run(prefix, line)
    }
  }

  for (const pair of PAIRS) {
    for (const [mine, theirs] of [pair, [pair[1], pair[0]] as const]) {
      it(`${JSON.stringify(mine)} leaves ${JSON.stringify(theirs)} alone`, async () => {
        const client = redis.client()
        await client.flushall()
        await fill(theirs, 'two')
        await withEngine(theirs, (engine) => doDuties(engine, 'two'))
        const names = await client.keys('*')
        const held = () => Promise.all(names.map((name) => entriesOf(client, name)))
        const before = await held()
        await fill(mine, 'one')
        const heard: string[] = []
        const ear = redis.client()
        ear.on('message', (_channel, message) => heard.push(message))
        await ear.subscribe(`${theirs}changes`, `${theirs}audit`)
        await doAll(mine, 'one')
        await ear.ping()
        assert.deepEqual(heard, [])
        assert.deepEqual(await held(), before)
        // The other installation has no new keys.
        const keys = (await client.keys('*')).filter((name) => !names.includes(name))
        assert.ok(
          keys.every((name) => name.startsWith(`${mine}{`)),
          keys.join(' '),
        )
      })
    }
  }
})

const nothing = (): void => {}
