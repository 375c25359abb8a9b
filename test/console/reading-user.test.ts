import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { Keys } from '../../src/store/keys'
import { Store } from '../../src/store/store'
import { ADMIN, credentials, refused, startGuardedRedis } from '../support/acl'
import { addToStream, anAlert } from '../support/alerts'
import { newConsole, type ConsoleAtHand } from '../support/console'
import { fillHostile } from '../support/console-data'
import { ROUTES } from '../support/console-routes'
import { beat } from '../support/nodes'
import type { TestRedis } from '../support/redis'
import { Registries } from '../support/registries'
import type { Site } from '../support/registry'

/** The doctor asks whether Redis writes snapshots, and does without the answer. */
const TOLERATED = 'tenantctl-read: command config|get'

describe('with the rights of docs/acl/tenantctl-read.acl', () => {
  let redis: TestRedis
  let console: ConsoleAtHand
  before(async () => {
    redis = await startGuardedRedis(['tenantctl-read'])
    const store = new Store(redis.client(ADMIN), new Keys('ud:'))
    await fillHostile({ store, registry: new Registries(store) } as Site)
    await beat(store, { id: 'mx1/a' })
    await addToStream(store, anAlert({ tenant: 'contoso' }))
    await store.client.xgroup('CREATE', store.keys.events, 'mail', '0')
    const reader = new Store(redis.client(credentials('tenantctl-read')), store.keys)
    console = newConsole({}, {}, { store: reader } as ConsoleAtHand)
  })
  after(() => redis.stop())

  for (const { method, route, path } of ROUTES) {
    if (method !== 'GET') continue
    it(`a person who only reads is shown ${route}`, async () => {
      const { status } = await console.as('viewer').get(path)
      assert.ok([200, 400, 403, 404].includes(status), `${status}`)
      const others = (await refused(redis.client(ADMIN))).filter((each) => each !== TOLERATED)
      assert.deepEqual(others, [])
      assert.deepEqual(console.faults, [])
    })
  }
})
