// What a test through SMTP cannot see: that a hook has answered before it returns.
import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, it } from 'node:test'
import type {
  Connection,
  EnvelopeRecipient,
  Plugin,
  ResultStore,
  HarakaTransaction,
} from '../../../plugins/kit/haraka'
import { RedisTroubles } from '../../../plugins/kit/redis-troubles'
import { Hooks } from '../../../plugins/session/hooks'
import { waitFor } from '../../../scripts/services/wait-for'
import { parseConfig, type Config } from '../../../src/process/config'
import { parseEnvelope } from '../../../src/names/envelope'
import { Engine } from '../../../src/process/engine'
import { REPLIES } from '../../../src/decision/reply'
import { Keys } from '../../../src/store/keys'
import { Restrictions } from '../../../src/allowance/restriction'
import { Store } from '../../../src/store/store'
import { ensureEpoch } from '../../../src/registry/epoch'
import { Batch } from '../../../src/reporting/batch'
import { Registries } from '../../support/registries'
import { settingsFor } from '../../support/connection'
import { startRedis, type TestRedis } from '../../support/redis'

const silent = (): void => {}
const PLUGIN = {
  name: 'unregistered-domain',
  haraka_require: () => ({ LOGINFO: 6, would_log: () => logsInfo, format: 'JSON', formats: {} }),
  loginfo: (_connection: unknown, ...line: (typeof lines)[number]) => void lines.push(line),
  ...{ lognotice: silent, logwarn: silent, logerror: silent },
  logcrit: (_connection: unknown, message: string) => void criticals.push(message),
} as unknown as Plugin
const FAR = [parseEnvelope('someone@far.example')] as const

let redis: TestRedis
let store: Store
let engine: Engine
let config: Config
let criticals: string[]
let logsInfo: boolean
/** Of level info. */
let lines: [token: string, values: Record<string, unknown>][]

before(async () => {
  redis = await startRedis()
  store = new Store(redis.client(), new Keys('ud:'))
  await ensureEpoch(store)
  const registry = new Registries(store)
  await registry.tenants.add('contoso', {}, 'test')
  const domain = { domain: 'contoso.example', subdomains: true, shared: false }
  await registry.domains.add('contoso', [domain], 'test')
  await registry.connectors.add('contoso', 'mx', { ip: ['192.0.2.1/32'] }, 'test')
  const nothing = (): void => {}
  engine = new Engine(settingsFor(redis), {
    ...{ onReady: nothing, onRestriction: nothing, onError: nothing },
    ...{ onRedisError: nothing, onDrop: nothing },
  })
  engine.follow()
  await waitFor(() => engine.directory.connectors)
  await engine.directory.load('contoso')
  await whenQuiet()
})
after(async () => {
  engine.directory.stop()
  engine.store.client.disconnect()
  await redis.stop()
})
beforeEach(() => {
  config = parseConfig({}, '.').config
  criticals = []
  logsInfo = true
  lines = []
})

/** Waits until the process asks Redis for nothing. */
function whenQuiet(): Promise<unknown> {
  return waitFor(async () => {
    await redis.resetCommandStats()
    await engine.store.client.ping()
    return Object.keys(await redis.commandStats()).every((command) => command === 'ping')
  })
}

function results(): ResultStore & { all: unknown[] } {
  const all: unknown[] = []
  return {
    all,
    add: (_plugin, result) => void all.push(result),
    get: () => undefined,
    redis_publish: () => {},
  }
}

/** A session from the tenant's address, within a transaction of this sender. */
function sessionOf(from: string, uuid = 'A1.1'): Connection & { transaction: HarakaTransaction } {
  return {
    uuid: 'A1',
    remote: { ip: '192.0.2.1' },
    hello: { host: 'mx.contoso.example' },
    notes: {},
    results: results(),
    transaction: {
      uuid,
      mail_from: parseEnvelope(from),
      rcpt_to: [],
      message_stream: { pipe() {}, unpipe() {} },
      data_bytes: 0,
      notes: {},
      results: results(),
    },
    tls: {},
    client: {},
    relaying: true,
  }
}

const newHooks = (withEngine: () => Engine | undefined = () => engine): Hooks =>
  new Hooks(PLUGIN, () => config, withEngine, new RedisTroubles(PLUGIN, 'redis:6379'))

/** All answers of the hooks to a message, in the order in which Haraka calls them. */
function answersTo(hooks: Hooks, connection: Connection): unknown[] {
  return [
    hooks.connect(connection),
    hooks.greet(connection),
    hooks.mail(connection),
    hooks.rcpt(connection, FAR),
    hooks.rcptOk(connection, FAR[0]),
    hooks.end(connection),
  ]
}

describe('the hooks of a session', () => {
  it('answer registered mail before they return, without a Redis command of any client', async () => {
    await redis.resetCommandStats()
    for (const grantRelay of [false, true]) {
      config = { ...config, attribution: { ...config.attribution, grantRelay } }
      for (const from of ['a@contoso.example', 'a@deep.below.contoso.example']) {
        const connection = sessionOf(from)
        assert.deepEqual(answersTo(newHooks(), connection), Array(6).fill(undefined))
        assert.deepEqual(connection.transaction.notes['unregistered_domain'], {
          tenant: 'contoso',
          connector: 'contoso/mx',
          class: 'registered',
        })
        // Results would cost more than the decision.
        assert.deepEqual((connection.transaction.results as ReturnType<typeof results>).all, [])
      }
    }
    assert.deepEqual(await redis.commandStats(), {})
  })

  it('answer a known restriction before they return, without a Redis command of any client', async () => {
    const restrictions = new Restrictions(store)
    const by = { by: 'test', reason: 'test' }
    await restrictions.place('contoso', { scope: 'unregistered', ...by })
    await waitFor(() => engine.directory.peek('contoso')?.restricted)
    // The process reads the rest of the tenant, and tells Redis what it has counted.
    await whenQuiet()
    await redis.resetCommandStats()
    assert.equal(newHooks().mail(sessionOf('x@stolen.example')), REPLIES.blocked)
    config = { ...config, main: { ...config.main, refuseAt: 'rcpt' } }
    const hooks = newHooks()
    const connection = sessionOf('x@stolen.example')
    assert.equal(hooks.mail(connection), undefined)
    assert.equal(hooks.rcpt(connection, FAR), REPLIES.blocked)
    assert.deepEqual(await redis.commandStats(), {})
    await restrictions.lift('contoso', { ...by, keepUsage: false })
    await waitFor(() => engine.directory.peek('contoso')?.restricted === undefined)
    await engine.store.client.ping()
  })

  it('ask Redis once for each recipient of unregistered mail, at rcpt_ok', async () => {
    const hooks = newHooks()
    const connection = sessionOf('x@stolen.example')
    // The first charge of a process asks the server's clock too, and the first of a sender whose its domain is.
    assert.equal(hooks.mail(connection), undefined)
    connection.transaction.rcpt_to.push(FAR[0] as EnvelopeRecipient)
    await hooks.rcptOk(connection, FAR[0])
    await engine.directory.askOwner('stolen.example', 'contoso')
    await redis.resetCommandStats()
    assert.equal(hooks.rcpt(connection, FAR), undefined)
    assert.deepEqual(await redis.commandStats(), {})
    const answer = hooks.rcptOk(connection, FAR[0])
    assert.ok(answer instanceof Promise)
    assert.equal(await answer, undefined)
    assert.equal((await redis.commandStats())['evalsha'], 1)
    hooks.end(connection)
  })

  it('report a foreign sender as such, even if its owner is found after the end', async (t) => {
    let found: (owner: string) => void = silent
    const owner = new Promise<string>((resolve) => (found = resolve))
    t.mock.method(engine.directory, 'askOwner', () => owner)
    const added = t.mock.method(Batch.prototype, 'addSource')
    const hooks = newHooks()
    const connection = sessionOf('x@slow.example', 'A3.1')
    assert.equal(hooks.mail(connection), undefined)
    connection.transaction.rcpt_to.push(FAR[0] as EnvelopeRecipient)
    assert.equal(await hooks.rcptOk(connection, FAR[0]), undefined)
    hooks.end(connection)
    assert.equal(added.mock.callCount(), 0)
    found('fabrikam')
    await waitFor(() => added.mock.callCount() === 1)
    const [, reported, , reportedOwner] = added.mock.calls[0]!.arguments
    assert.deepEqual([reported, reportedOwner], ['foreign', 'fabrikam'])
  })

  it('add the results of charged recipients once a transaction, and log each at level info alone', async () => {
    const hooks = newHooks()
    const connection = sessionOf('x@stolen.example', 'A2.1')
    assert.equal(hooks.mail(connection), undefined)
    for (logsInfo of [true, false, true]) {
      const recipient = parseEnvelope('someone@far.example')
      connection.transaction.rcpt_to.push(recipient as EnvelopeRecipient)
      assert.equal(await hooks.rcptOk(connection, recipient), undefined)
    }
    const who = { tenant: 'contoso', connector: 'contoso/mx', domain: 'stolen.example' }
    assert.deepEqual((connection.transaction.results as ReturnType<typeof results>).all, [
      { pass: 'allowance', ...who, human: 'allowance' },
    ])
    const line = { ...who, class: 'unregistered', verdict: 'pass', transaction: 'A2.1' }
    assert.deepEqual(
      lines.map(([token, { used, ...facts }]) => [token, typeof used, facts]),
      [
        ['charged', 'string', line],
        ['charged', 'string', line],
      ],
    )
    hooks.end(connection)
  })

  it('grant relaying with override=off too, and decide nothing', () => {
    config = {
      ...config,
      main: { ...config.main, override: 'off' },
      attribution: { ...config.attribution, grantRelay: true },
    }
    const connection = sessionOf('a@elsewhere.example')
    connection.relaying = false
    assert.equal(newHooks().mail(connection), undefined)
    assert.equal(connection.relaying, true)
    assert.deepEqual(connection.transaction.notes, {})
  })

  it('answer 451 to relaying sessions until Haraka has started the plugin', () => {
    assert.equal(
      newHooks(() => undefined).mail(sessionOf('a@contoso.example')),
      REPLIES.undecidable,
    )
  })
})

describe('a hook that failed', () => {
  const error = new Error('broken')

  it('answers 451 to relaying sessions with a tenant, and lets others pass', () => {
    const hooks = newHooks()
    const connection = sessionOf('x@stolen.example')
    assert.equal(hooks.failed(error, connection), undefined)
    assert.equal(hooks.mail(connection), undefined)
    assert.equal(hooks.failed(error, connection), REPLIES.undecidable)
    connection.relaying = false
    assert.equal(hooks.failed(error, connection), undefined)
    assert.equal(criticals.length, 3)
    assert.match(criticals[0] ?? '', /^internal error: Error: broken\n/)
  })

  it('refuses nothing under an override', () => {
    const hooks = newHooks()
    const connection = sessionOf('x@stolen.example')
    assert.equal(hooks.mail(connection), undefined)
    config = { ...config, main: { ...config.main, override: 'monitor' } }
    assert.equal(hooks.failed(error, connection), undefined)
  })

  it('does not throw even where the log fails', () => {
    const plugin = {} as Plugin
    const troubles = new RedisTroubles(plugin, 'redis:6379')
    const mute = new Hooks(plugin, () => config, silent as () => undefined, troubles)
    assert.equal(mute.failed(error, { relaying: true } as Connection), REPLIES.undecidable)
  })
})
