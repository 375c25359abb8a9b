import assert from 'node:assert/strict'
import { after, afterEach, before, beforeEach, describe, it } from 'node:test'
import { waitFor } from '../../scripts/services/wait-for'
import { connect } from '../../src/store/connection'
import { Keys } from '../../src/store/keys'
import { Store } from '../../src/store/store'
import { Directory } from '../../src/directory/directory'
import { Registries } from '../support/registries'
import { settingsFor } from '../support/connection'
import { startRedis, type TestRedis } from '../support/redis'
import { startRedisProxy, type RedisProxy } from '../support/redis-proxy'
import { laterToken } from '../support/registry'

const AGE_LIMIT = 50
const COMMAND_TIMEOUT = 100

describe('A directory whose entries are older than their age limit', () => {
  let redis: TestRedis
  let way: RedisProxy
  let registry: Registries
  let store: Store
  let directory: Directory
  let errors: string[]

  before(async () => {
    redis = await startRedis()
    way = await startRedisProxy(redis.port)
    registry = new Registries(new Store(redis.client(), new Keys('ud:')))
    await registry.tenants.add('contoso', {}, 'test')
    const domain = { domain: 'contoso.example', subdomains: false, shared: false }
    await registry.domains.add('contoso', [domain], 'test')
    await registry.connectors.add('contoso', 'mx', { ip: ['192.0.2.1/32'] }, 'test')
  })
  after(async () => {
    await way.stop()
    await redis.stop()
  })

  beforeEach(async () => {
    errors = []
    const settings = settingsFor(way, { commandTimeout: COMMAND_TIMEOUT })
    const onError = (message: string): void => void errors.push(message)
    store = new Store(connect(settings, onError), new Keys('ud:'))
    const events = { onReady() {}, onRestriction() {}, onError }
    directory = new Directory(store, events, AGE_LIMIT)
    directory.follow(connect(settings, onError))
    await waitFor(() => directory.connectors)
    await directory.load('contoso')
    await directory.askOwner('contoso.example')
  })

  afterEach(() => {
    redis.resume()
    directory.stop()
    store.client.disconnect()
  })

  it('keeps them while Redis hangs, and is right again when it is back', async () => {
    const known = directory.peek('contoso')
    assert.equal(known?.domains.has('contoso.example'), true)
    redis.pause()
    // Asked for because of their age, and not answered.
    await waitFor(async () => {
      assert.equal(directory.peek('contoso'), known)
      const owner = directory.ownerOf('contoso.example')
      assert.equal(owner ?? (await directory.askOwner('contoso.example')), 'contoso')
      assert.equal(directory.connectors?.byIp('192.0.2.1')?.tenant, 'contoso')
      return errors.length >= 2
    })
    redis.resume()
    await registry.tenants.set('contoso', { mode: 'monitor' })
    await waitFor(() => directory.peek('contoso')?.mode === 'monitor')
    await registry.tenants.set('contoso', { mode: null })
  })

  it('finds a change that nobody has told it', async () => {
    const client = redis.client()
    await client.hset('ud:{contoso}', { mode: 'off', state: laterToken() })
    await waitFor(() => directory.peek('contoso')?.mode === 'off')
    await client.hdel('ud:{contoso}', 'mode')
  })

  it('replaces both connections when they are dead and nobody closes them', async () => {
    const { connections } = way
    way.freeze()
    await waitFor(() => {
      directory.peek('contoso')
      return way.connections === connections + 2
    })
    await registry.tenants.set('contoso', { mode: 'monitor' })
    await waitFor(() => directory.peek('contoso')?.mode === 'monitor')
  })

  it('looks at once whether its subscription is dead, too, when the other connection was', async () => {
    directory.stop()
    const settings = settingsFor(way, { commandTimeout: COMMAND_TIMEOUT })
    // By its age it would look in half a minute.
    directory = new Directory(store, { onReady() {}, onRestriction() {}, onError() {} })
    await directory.loadConnectors()
    const subscriber = connect(settings, () => {})
    directory.follow(subscriber)
    await waitFor(() => subscriber.status === 'ready')
    await waitFor(async () => (await redis.client().pubsub('NUMSUB', 'ud:changes'))[1] === 1)
    await subscriber.ping()
    const { connections } = way
    way.freeze()
    await assert.rejects(store.client.ping())
    await waitFor(() => way.connections === connections + 2)
  })
})
