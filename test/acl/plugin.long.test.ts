import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import path from 'node:path'
import { describe, it } from 'node:test'
import { Ledger } from '../../src/allowance/ledger'
import { loadConfig } from '../../src/process/config-file'
import { RefusedError } from '../../src/base/errors'
import { forgetLeft } from '../../src/alerts/forget-left'
import { completeEvidence } from '../../src/cases/complete'
import { formatEvidence, parseEvidence } from '../../src/cases/evidence'
import { FOLLOWED } from '../../src/cases/minutes'
import type { UnattributedEvent } from '../../src/records/event'
import { EventStream } from '../../src/events/stream'
import { HOUR } from '../../src/reporting/calendar'
import { OTHER } from '../../src/reporting/rows'
import { defaultsOf } from '../../src/allowance/defaults'
import { indexProbation } from '../../src/allowance/probation-index'
import { Restrictions } from '../../src/allowance/restriction'
import type { Batch } from '../../src/reporting/batch'
import { MOST_UNATTRIBUTED } from '../../src/reporting/bounds'
import { Recorder } from '../../src/reporting/recorder'
import { Tally, UNATTRIBUTED } from '../../src/reporting/tally'
import type { UnattributedBatch } from '../../src/reporting/unattributed-batch'
import { Keys } from '../../src/store/keys'
import { Store } from '../../src/store/store'
import { ConnectorIndex } from '../../src/directory/connector-index'
import { Directory } from '../../src/directory/directory'
import { confirmed, isConfirmed } from '../../src/nodes/confirm'
import { CONNECTORS } from '../../src/nodes/question'
import { askQueues, dropFromQueues } from '../../src/operations/queue-orders'
import { queueFile } from '../support/queue-files'
import { Registries } from '../support/registries'
import { UnusualMonitor } from '../../src/unusual/monitor'
import { UnattributedUsers } from '../../src/unusual/unattributed'
import { days, LATER, NOW, play, Scenario } from '../unusual/scenario'
import { startHaraka, TestRelay, waitFor, type TestRedis } from '../support'
import { forgetPutBack, hasUntold, reportLost } from '../../src/registry/lost-changes'
import { removeTenant } from '../../src/registry/tenant-removal'
import {
  credentials,
  Observation,
  refused,
  rulesOf,
  startGuardedRedis,
  superfluous,
} from '../support/acl'
import { addToStream, anAlert, pending } from '../support/alerts'
import { raise } from '../support/events'
import { configWith } from '../support/judgement'
import { REPLY } from '../support/replies'
import { WEBHOOK_SECRET, WebhookEndpoint } from '../support/webhook-endpoint'
import { ACCEPTED, REFUSED } from '../support/reporting'

/** Sent by every connection, but never shown by MONITOR. */
const UNSEEN = ['hello']
const ELSEWHERE = 'x@elsewhere.example'
const RECIPIENT = 'a@far.example'

const OLD_ENTRY = '1000\t\ttenant removed\t\t\t\t\t'
const TENANTS_FILE = `id: site
tenants:
  tailspin:
    limits: 5/1h
    domains: [tailspin.example, { name: tailspin.de, subdomains: true }]
    connectors: { web: { ip: [127.66.0.1], auth: [web] } }
`
const CHANGED_FILE = `id: site
tenants:
  tailspin:
    name: Tailspin
    domains: [tailspin.example, { name: tailspin.de, shared: true }]
    connectors: { web: { ip: [127.66.0.2] } }
`

describe('the plugin with the users of docs/acl', { concurrency: 2 }, () => {
  for (const apply of [false, true]) {
    const role = apply ? 'plugin-apply' : 'plugin'

    it(`${role}: everything works, and the file allows nothing more`, async (t) => {
      const redis = await startGuardedRedis([role], { args: ['--appendonly', 'yes'] })
      t.after(() => redis.stop())
      const admin = redis.client()
      const observation = await Observation.begin(redis)
      await leaveEvents(redis)
      // An expired entry of an audit trail: the next one removes it.
      await admin.rpush('ud:{tailspin}:audit', OLD_ENTRY)
      // An expired case likewise.
      await admin.zadd('ud:{@cases}', 0, 'gone:1')
      const endpoint = await WebhookEndpoint.start()
      t.after(() => endpoint.stop())
      const haraka = await startHaraka({
        redis,
        nodes: 2,
        users: { 'me@contoso.example': 'secret' },
        relayFrom: ['127.77.0.0/16', '127.66.0.0/16'],
        settings: {
          redis: { ...credentials(role), command_timeout: 2000 },
          tenants: { apply },
          forwarded: { enabled: true },
          alerts: { webhook: endpoint.url, webhook_secret: WEBHOOK_SECRET },
        },
        config: { 'unregistered-domain.tenants.yaml': TENANTS_FILE },
      })
      t.after(() => haraka.stop())
      const relay = new TestRelay(redis, [haraka])
      await useAll(relay, redis)
      await confirmChange(relay)
      await waitFor(() => existsSync(path.join(haraka.dir, 'unregistered-domain.snapshot')))
      await tellEvents(redis)
      await deliverAlerts(redis, endpoint)
      // Like a process whose entry arrives after the lift.
      const late = redis.client({ ...credentials(role), connectionName: 'plugin' })
      const store = new Store(late, new Keys('ud:'))
      await new Restrictions(store).index('contoso')
      // Like one that has put a lift back.
      await indexProbation(store, 'contoso')
      await lookForUnusual(new Store(admin, store.keys), store)
      // Like a process that has an owner cached that Redis has lost: is only this one missing?
      const directory = new Directory(store, { onReady() {}, onRestriction() {}, onError() {} })
      assert.equal(await directory.askOwner('contoso.example'), 'contoso')
      await relay.registry.domains.remove('contoso', ['contoso.example'])
      assert.equal(await directory.askOwner('contoso.example'), null)
      await recordMuch(store, redis)
      await tellOfLost(store)
      await completeMinutes(store, redis)
      await forward(relay, store)
      await forgetChannel(store, redis)
      await orderQueue(relay)
      if (apply) {
        await haraka.waitForLog(/tenants\.yaml: applied added=/)
        const [added] = await admin.lrange('ud:{tailspin}:audit', 0, 0)
        assert.match(added ?? '', /\ttenant added\t.*\tunregistered-domain\tfile:site$/)
        haraka.writeConfig('unregistered-domain.tenants.yaml', CHANGED_FILE)
        await haraka.waitForLog(/tenants\.yaml: applied added=0 updated=[1-9]/)
        await loseRace(redis)
      }
      await loseConnections(relay, redis)

      const used = await observation.end((user) => user === 'unregistered-domain')
      assert.deepEqual(await refused(admin), [])
      assert.deepEqual(superfluous(rulesOf(role), used, UNSEEN), [])
      await outage(relay, redis)
      assert.deepEqual(await refused(redis.client()), [])
      assert.doesNotMatch(haraka.log, /NOPERM|NOAUTH|unhandled|Caught exception/i)
    })
  }
})

/** Both workers confirm a change, also where a busy machine takes longer than a person waits. */
async function confirmChange({ store, registry }: TestRelay): Promise<void> {
  const change = () => registry.tenants.set('contoso', { name: 'Contoso' })
  await waitFor(async () => {
    const { confirmation } = await confirmed(store, ['contoso', CONNECTORS], change)
    return confirmation.of === 2 && isConfirmed(confirmation)
  })
}

/** A forward is held, proven, and refunded. */
async function forward(relay: TestRelay, store: Store): Promise<void> {
  await relay.registry.tenants.add('school', { forwardedLimits: '5/1h' }, 'test')
  const ledger = new Ledger(store, 2000)
  const defaults = defaultsOf(configWith({ forwarded: { enabled: 'true' } }))
  const sender = { domain: 'elsewhere.example', connector: '', ip: '192.0.2.7' }
  const recipient = { tenant: 'school', transaction: 'F1.1', ...sender }
  const domainsToken = (await store.client.hget(store.keys.tenant('school'), 'domains')) ?? ''
  const charge = { ...recipient, meter: 'unregistered', ordinal: 1, domainsToken } as const
  assert.equal((await ledger.charge(charge, defaults)).answer, 'HELD')
  const message = { ...recipient, meter: 'forwarded', ordinals: [1], signatures: ['s1'] } as const
  assert.equal((await ledger.chargeMessage(message, defaults)).answer, 'FORWARDED')
  assert.equal(await ledger.refund('school', 'F1.1', [1], ['s1']), 1)
}

/** A channel of alerts was taken out of the ini file. */
async function forgetChannel(store: Store, redis: TestRedis): Promise<void> {
  const { keys } = store
  await redis.client().xgroup('CREATE', keys.events, 'taken-out', '$')
  const duty = forgetLeft(store, () => false)
  await waitFor(async () => {
    await duty.run()
    const groups = JSON.stringify(await redis.client().xinfo('GROUPS', keys.events))
    return !groups.includes('taken-out')
  })
}

/** The queue is listed and emptied by orders. */
async function orderQueue({ store, haraka }: TestRelay): Promise<void> {
  const directory = path.join(haraka.dir, 'queue')
  const due = queueFile(directory, { tenant: 'contoso' })
  const list = await askQueues(store, { tenant: 'contoso', for: 'drop' })
  const { hosts } = await dropFromQueues(store, list)
  assert.deepEqual([hosts.length, existsSync(path.join(directory, due))], [1, false])
}

/** Unpublished events, whose process was killed. */
async function leaveEvents(redis: TestRedis): Promise<void> {
  const store = new Store(redis.client(), new Keys('ud:'))
  await new Registries(store).tenants.add('left', {}, 'test')
  for (const kind of ['allowance', 'restricted', 'lifted', 'restricted'] as const) {
    await raise(store, 'left', kind)
  }
}

/** They are published, and their alerts closed, as if a quarter of an hour had passed; others may come meanwhile. */
async function tellEvents(redis: TestRedis): Promise<void> {
  const { client, keys } = new Store(redis.client(), new Keys('ud:'))
  await waitFor(async () => (await client.hget(keys.tenant('left'), 'events')) === null)
  const alerts = await client.zrange(keys.eventsDue, '0', '-1')
  for (const alert of alerts) await client.zadd(keys.eventsDue, 0, alert)
  await waitFor(async () => {
    const due = await client.zrange(keys.eventsDue, '0', '-1')
    return alerts.every((alert) => !due.includes(alert))
  })
}

/** One alert is posted again after it has failed. */
async function deliverAlerts(redis: TestRedis, endpoint: WebhookEndpoint): Promise<void> {
  const store = new Store(redis.client(), new Keys('ud:'))
  const alert = anAlert()
  endpoint.answer = (response) => response.writeHead(500).end()
  await addToStream(store, alert)
  const posted = (): number => endpoint.ids.filter((id) => id === alert.id).length
  await waitFor(() => posted() === 1)
  endpoint.answer = (response) => response.writeHead(204).end()
  await waitFor(() => posted() === 2)
  await waitFor(async () => (await pending(store, 'webhook')) === 0, { timeout: 60_000 })
}

/** Mail of all classes, counted, refunded, tripped, and an operator's actions meanwhile. */
async function useAll(relay: TestRelay, redis: TestRedis): Promise<void> {
  const admin = redis.client()
  const tenant = await relay.tenant('contoso', { limits: '3/1h' })
  await admin.lpush('ud:{contoso}:audit', OLD_ENTRY)
  const { domain } = tenant
  const registered = { from: `x@${domain}`, to: RECIPIENT }
  const unregistered = { from: ELSEWHERE, to: RECIPIENT }
  assert.equal((await tenant.send(registered)).delivered, true)
  assert.equal((await tenant.send({ from: '', to: RECIPIENT })).delivered, true)
  assert.equal((await tenant.send(unregistered)).delivered, true)

  const client = await tenant.connect()
  await client.mail(ELSEWHERE)
  await client.rcpt(RECIPIENT)
  assert.equal(await tenant.used(), 2)
  await client.rset()
  await waitFor(async () => (await tenant.used()) === 1)
  await client.quit()

  const many = { from: ELSEWHERE, to: ['a', 'b', 'c'].map((name) => `${name}@far.example`) }
  assert.equal((await tenant.send(many)).last.raw, REPLY.blocked)
  await waitFor(async () => (await admin.sismember('ud:{@restricted}', 'contoso')) === 1)
  // Its audit entry removes the expired one; any other would too.
  await waitFor(async () => (await admin.exists('ud:{contoso}:case:1')) === 1)
  await relay.lift('contoso')
  await waitFor(async () => (await tenant.send(unregistered)).delivered)

  const watched = await relay.tenant('fabrikam', { limits: '1/1h', mode: 'monitor' })
  for (let round = 0; round < 2; round++) {
    assert.equal((await watched.send(unregistered)).delivered, true)
  }

  // Attributed by the owner of the domain in its user name.
  const auth = { user: `me@${domain}`, password: 'secret' }
  const byDomain = await relay.haraka.connect({ auth, localAddress: '127.55.0.1' })
  assert.equal((await byDomain.send(unregistered)).delivered, true)
  assert.equal(await tenant.used(), 2)
  await byDomain.quit()

  // Processes with it in their cache check whether everything is lost, or only this tenant.
  const leaving = await relay.tenant('leaving')
  assert.equal((await leaving.send(unregistered)).delivered, true)
  await removeTenant(relay.registry.store, 'leaving')
  await relay.attributed(leaving.session, null)

  const names = Array.from({ length: 1500 }, (_, at) => `d${at}.example`)
  await relay.registry.domains.add(
    'contoso',
    names.map((name) => ({ domain: name, subdomains: false, shared: true })),
    'test',
  )
  await waitFor(async () => {
    const sent = await tenant.send({ ...registered, from: 'x@d1499.example' })
    return sent.delivered && (await tenant.used()) === 2
  })
}

/** Recording past the bounds. */
async function recordMuch(store: Store, redis: TestRedis): Promise<void> {
  const admin = redis.client()
  const recorder = new Recorder(store, () => 90)
  const tally = new Tally(assert.fail)
  tally.unattributed!.add({ ip: '192.0.2.1', user: 'ann', certificate: '' }, ACCEPTED)
  for (let at = 0; at < MOST_UNATTRIBUTED; at++) {
    const number = String(at)
    const source = { domain: `d${at}.example`, connector: 'contoso/mx', ip: '::1', user: '' }
    tally.batchOf('contoso')!.addSource(source, 'unknown', REFUSED)
    tally.unattributed!.add({ ip: number, user: '', certificate: '' }, REFUSED)
  }
  const ended = Object.fromEntries(Array.from({ length: 200 }, (_, at) => [`p${at}`, '1 1']))
  await admin.hset(store.keys.flushes('contoso'), ended)
  await recorder.record('contoso', tally.take('contoso') as Batch, 'here 1')
  await recorder.recordUnattributed(tally.take(UNATTRIBUTED) as UnattributedBatch, 'here 1')
  assert.equal(await admin.hlen(store.keys.flushes('contoso')), 64)
  const users: string[] = []
  const connectors = new ConnectorIndex()
  const publish = (event: UnattributedEvent): Promise<unknown> => {
    users.push(event.user)
    return new EventStream(store).publish('', event)
  }
  const config = () => loadConfig(undefined).config
  await new UnattributedUsers({ store, config, connectors: () => connectors, publish }).run()
  assert.deepEqual(users, ['ann'])
}

/** The hour after a restriction is over. */
async function completeMinutes(store: Store, redis: TestRedis): Promise<void> {
  const admin = redis.client()
  const { keys } = store
  const key = keys.evidence('contoso', 1)
  await waitFor(async () => (await admin.exists(key)) === 1)
  const evidence = parseEvidence((await admin.get(key)) ?? '')
  const at = evidence.event.at - FOLLOWED
  await admin.set(key, formatEvidence({ ...evidence, event: { ...evidence.event, at } }))
  await admin.zadd(keys.caseIndex, at, 'contoso:1')
  await completeEvidence(store).run()
  assert.equal(parseEvidence((await admin.get(key)) ?? '').minutesComplete, true)
}

/** Redis has gone back in time; all of it is put back, and forgotten after a day. */
async function tellOfLost(store: Store): Promise<void> {
  const marks = { known: 2, found: 1 }
  const back = { what: 'restriction', case: 'contoso:1', time: 0 } as const
  await reportLost(store, [
    { kind: 'lost', subject: 'contoso', ...marks, changes: [], more: 1 },
    { kind: 'back', subject: 'contoso', ...marks, ...back },
  ])
  await waitFor(async () => !(await hasUntold(store)), { timeout: 60_000 })
  await reportLost(store, [{ kind: 'lost', subject: 'contoso', ...marks, changes: [], more: 0 }])
  await store.client.hset(store.keys.lost, { since: 0 })
  await forgetPutBack(store)
  assert.equal(await store.client.exists(store.keys.lost), 0)
}

/** A rule begins to match, and ends; some domains have no row of their own. */
async function lookForUnusual(admin: Store, store: Store): Promise<void> {
  const { client, keys } = admin
  const burst = new Scenario()
    .routine({ days: days(0, 10) })
    .send({ at: NOW - HOUR, accepted: 100, domain: OTHER })
  await play(admin, 'wingtip', burst, LATER)
  const hour = keys.reportHour('wingtip', Math.floor((NOW - HOUR + LATER) / HOUR))
  await client.pfadd(keys.reportOthers(hour), ...days(0, 100).map((at) => `x${at}.example`))
  const config = loadConfig(undefined).config
  const look = new UnusualMonitor(
    store,
    () => config,
    () => {},
  )
  await look.run()
  assert.deepEqual(Object.keys(await client.hgetall(keys.unusual('wingtip'))).sort(), [
    'domains',
    'volume',
  ])
  const calm = { ...config, unusual: { ...config.unusual, domains: 0, volume: 0 } }
  await client.hset(keys.unusual('wingtip'), 'domains', 'evt_1 1 1', 'volume', 'evt_2 1 1')
  const last = new UnusualMonitor(
    store,
    () => calm,
    () => {},
  )
  await last.run()
  assert.equal(await client.exists(keys.unusual('wingtip')), 0)
}

/** Another operator claims a name while the file is applied: what was written is rolled back. */
async function loseRace(redis: TestRedis): Promise<void> {
  const keys = new Keys('ud:')
  const admin = redis.client()
  class Overtaken extends Store {
    override async run(...[script, ...rest]: Parameters<Store['run']>): Promise<unknown> {
      if (script.name === 'owners_reconcile')
        await admin.hset(keys.ownerNames, 'late.example', '- fabrikam')
      return super.run(script, ...rest)
    }
  }
  const client = redis.client({ ...credentials('plugin-apply'), connectionName: 'plugin' })
  const registry = new Registries(new Overtaken(client, keys))
  const entry = { domain: 'late.example', subdomains: false, shared: false }
  await assert.rejects(registry.domains.put('contoso', [entry], 'file'), RefusedError)
}

async function loseConnections(relay: TestRelay, redis: TestRedis): Promise<void> {
  const admin = redis.client()
  const tenant = await relay.tenant('woodgrove')
  const unregistered = { from: ELSEWHERE, to: RECIPIENT }
  await admin.script('FLUSH')
  assert.equal((await tenant.send(unregistered)).delivered, true)
  await admin.call('CLIENT', 'KILL', 'USER', 'unregistered-domain')
  await waitFor(async () => (await tenant.send(unregistered)).delivered)
  // Received over the new connections of all processes.
  await relay.connector('woodgrove', 'second')
}

async function outage(relay: TestRelay, redis: TestRedis): Promise<void> {
  const tenant = await relay.tenant('litware', { limits: '100/1h' })
  await redis.kill()
  const registered = { from: `x@${tenant.domain}`, to: RECIPIENT }
  const unregistered = { from: ELSEWHERE, to: RECIPIENT }
  assert.equal((await tenant.send(unregistered)).last.raw, REPLY.undecidable)
  assert.equal((await tenant.send(registered)).delivered, true)
  await redis.restart()
  await waitFor(async () => (await tenant.send(unregistered)).delivered)
  assert.equal(await tenant.used(), 1)
  // Everything written before was restored.
  assert.equal(await redis.client().hexists('ud:{contoso}', 'lifted'), 1)
}
