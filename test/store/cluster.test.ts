import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { freePort } from '../../scripts/services/port'
import { waitFor } from '../../scripts/services/wait-for'
import { Ledger } from '../../src/allowance/ledger'
import { Restrictions } from '../../src/restriction/restriction'
import { connect } from '../../src/store/connection'
import { Keys } from '../../src/store/keys'
import { Outbox } from '../../src/store/outbox'
import { scanTags } from '../../src/store/scan-keys'
import { Store } from '../../src/store/store'
import { findInconsistencies } from '../../src/tenants/consistency'
import { Directory } from '../../src/tenants/directory'
import { Registry } from '../../src/tenants/registry'
import { DEFAULTS } from '../support/allowance'
import { settingsFor } from '../support/connection'
import { startRedis, type TestRedis } from '../support/redis'

let redis: TestRedis
let store: Store
let registry: Registry
const errors: string[] = []

function open() {
  const cluster = [{ host: '127.0.0.1', port: redis.port }]
  return connect(settingsFor(redis, { cluster }), (message) => errors.push(message))
}

before(async () => {
  redis = await startRedis({
    args: [
      ...['--cluster-enabled', 'yes', '--cluster-announce-ip', '127.0.0.1'],
      ...['--cluster-port', String(await freePort())],
    ],
  })
  await redis.client().call('CLUSTER', 'ADDSLOTSRANGE', '0', '16383')
  const admin = redis.client()
  await waitFor(async () => /cluster_state:ok/.test(String(await admin.call('CLUSTER', 'INFO'))))
  store = new Store(open(), new Keys('ud:'))
  registry = new Registry(store)
  await waitFor(() => store.client.status === 'ready')
})
after(async () => {
  store.client.disconnect()
  await redis.stop()
})

describe('on Redis Cluster', () => {
  it('tenants, domains and connectors are registered, moved and removed', async () => {
    for (const id of ['contoso', 'fabrikam'])
      await registry.addTenant(id, { limits: '2/1h' }, 'test')
    const domain = { domain: 'contoso.com', subdomains: true, shared: false }
    await registry.addDomains('contoso', [domain, { ...domain, domain: 'a.example' }], 'test')
    await registry.addConnector('contoso', 'mx', { ip: ['192.0.2.1/32'], auth: ['bob'] }, 'test')
    await registry.setConnectorEnabled('contoso', 'mx', false)
    await registry.setConnectorEnabled('contoso', 'mx', true)
    await registry.moveDomain('a.example', 'fabrikam', 'test')
    await registry.removeDomains('fabrikam', ['a.example'])
    assert.equal((await registry.listTenants()).length, 2)
    await registry.addTenant('gone', {}, 'test')
    await registry.removeTenant('gone')
    assert.deepEqual(await findInconsistencies(store), [])
    assert.deepEqual([...(await scanTags(store, ':domains'))], ['contoso'])
  })

  it('recipients are charged, trip, are refunded, and the restriction is lifted', async () => {
    const ledger = new Ledger(store, 5000)
    const restrictions = new Restrictions(store)
    const outbox = new Outbox(store.client, 10, (reason) => errors.push(reason))
    const charge = (transaction: string) =>
      ledger.charge(
        {
          ...{ tenant: 'contoso', meter: 'unregistered', transaction, ordinal: 1 },
          ...{ domainsToken: 'old', names: () => ['other.example', 'example'] },
          ...{ domain: 'other.example', connector: '', ip: '' },
        },
        DEFAULTS,
      )
    const answers = []
    for (const transaction of ['F.1', 'F.2', 'F.3']) {
      answers.push((await charge(transaction)).answer)
    }
    assert.deepEqual(answers, ['CHARGED', 'CHARGED', 'TRIPPED'])
    outbox.send(() => ledger.refund('contoso', 'F.1', [1]))
    outbox.send(() => restrictions.index('contoso'))
    await outbox.whenIdle()
    assert.equal((await ledger.usage('contoso', DEFAULTS))?.unregistered[0]?.used, 1)
    assert.equal((await restrictions.list())[0]?.tenant, 'contoso')
    const act = { by: 'anna', reason: 'cleaned' }
    assert.equal(await restrictions.place('contoso', { ...act, scope: 'all' }), 'widened')
    assert.equal(await restrictions.lift('contoso', { ...act, keepUsage: false }), 'lifted')
    assert.deepEqual(errors, [])
  })

  it('a directory follows changes, over restarts too', async () => {
    const events = {
      onReady: () => {},
      onRestriction: () => {},
      onError: (message: string) => errors.push(message),
    }
    const directory = new Directory(store, events)
    directory.follow(open())
    await waitFor(() => directory.connectors?.byAuth('bob'))
    assert.equal((await directory.load('contoso'))?.domains.get('contoso.com'), true)
    assert.equal(await directory.askOwner('x.contoso.com'), 'contoso')
    await registry.setTenant('contoso', { mode: 'monitor' })
    await waitFor(() => directory.peek('contoso')?.mode === 'monitor')
    await registry.addConnector('fabrikam', 'mx', { auth: ['alice'] }, 'test')
    await waitFor(() => directory.connectors?.byAuth('alice'))

    await redis.kill()
    await waitFor(() => store.client.status !== 'ready')
    assert.equal(directory.peek('contoso')?.mode, 'monitor')
    await assert.rejects(registry.getTenant('contoso'))
    await redis.restart()
    // Nothing was kept, but for the slots of the cluster.
    await waitFor(() => directory.connectors?.size === 0, { timeout: 20_000 })
    await waitFor(() => directory.peek('contoso') === undefined)
    directory.stop()
  })
})
