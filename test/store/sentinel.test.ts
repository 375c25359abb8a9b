import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { after, before, describe, it } from 'node:test'
import { Redis } from 'ioredis'
import { freePort } from '../../scripts/services/port'
import { scratchDir } from '../../scripts/services/scratch'
import { Service } from '../../scripts/services/service'
import { findTool } from '../../scripts/services/tools'
import { waitFor } from '../../scripts/services/wait-for'
import { Ledger } from '../../src/allowance/ledger'
import { Restrictions } from '../../src/restriction/restriction'
import { connect } from '../../src/store/connection'
import { Keys } from '../../src/store/keys'
import { Store } from '../../src/store/store'
import { Registry } from '../../src/tenants/registry'
import { DEFAULTS } from '../support/allowance'
import { settingsFor } from '../support/connection'
import { startRedis, type TestRedis } from '../support/redis'

const NAME = 'mail'

let primary: TestRedis
let replica: TestRedis
let sentinel: Service
let port: number
let admin: Redis
let client: Redis

before(async () => {
  primary = await startRedis()
  replica = await startRedis({ args: ['--replicaof', '127.0.0.1', String(primary.port)] })
  await waitFor(async () =>
    /master_link_status:up/.test(await replica.client().info('replication')),
  )
  port = await freePort()
  const dir = scratchDir('sentinel')
  const file = path.join(dir, 'sentinel.conf')
  writeFileSync(
    file,
    `port ${port}\nbind 127.0.0.1\nprotected-mode no\nsentinel monitor ${NAME} 127.0.0.1 ${primary.port} 1\n`,
  )
  sentinel = new Service({
    command: findTool('redis-server'),
    args: [file, '--sentinel'],
    cwd: dir,
  })
  await sentinel.waitForLog(/\+monitor master/)
  admin = new Redis({ host: '127.0.0.1', port })
  admin.on('error', () => {})
  await waitFor(async () => ((await admin.call('SENTINEL', 'REPLICAS', NAME)) as unknown[]).length)
})
after(async () => {
  admin.disconnect()
  client.disconnect()
  await Promise.all([primary.stop(), replica.stop(), sentinel.kill()])
})

describe('by Sentinel', () => {
  it('the primary is found, also after a failover, and a restriction with it', async () => {
    const errors: string[] = []
    const settings = settingsFor(primary, {
      port: 1,
      sentinels: [{ host: '127.0.0.1', port }],
      sentinelName: NAME,
    })
    client = connect(settings, (message) => errors.push(message)) as Redis
    const store = new Store(client, new Keys('ud:'))
    await waitFor(() => client.status === 'ready')
    await new Registry(store).addTenant('contoso', { limits: '1/1h' }, 'test')
    const ledger = new Ledger(store, 5000)
    const charge = (transaction: string) =>
      ledger.charge(
        {
          ...{ tenant: 'contoso', meter: 'unregistered', transaction, ordinal: 1 },
          ...{ domainsToken: '', names: () => ['other.example'] },
          ...{ domain: 'other.example', connector: '', ip: '' },
        },
        DEFAULTS,
      )
    assert.equal((await charge('F.1')).answer, 'CHARGED')
    assert.equal((await charge('F.2')).answer, 'TRIPPED')
    const before = await new Restrictions(store).get('contoso')
    await client.wait(1, 0)

    // Sentinel refuses as long as it has not heard from the replica.
    await waitFor(() =>
      admin.call('SENTINEL', 'FAILOVER', NAME).then(
        () => true,
        () => false,
      ),
    )
    // The old primary becomes a replica; what is asked of it meanwhile fails, and is not sent again.
    const answer = await waitFor(
      async () => {
        const role = await client.role()
        const { answer } = await charge('F.3')
        return role[0] === 'master' && client.stream.remotePort === replica.port && answer
      },
      { timeout: 30_000, interval: 50 },
    )
    assert.equal(answer, 'RESTRICTED')
    assert.deepEqual(await new Restrictions(store).get('contoso'), before)
  })
})
