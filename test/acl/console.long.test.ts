import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { Redis } from 'ioredis'
import { scratchDir } from '../../scripts/services/scratch'
import { EffectiveConfig } from '../../src/console/server/effective-config'
import { KnownRegistry } from '../../src/console/server/known-registry'
import { recordedAs } from '../../src/console/access/person'
import { FIELDS } from '../../src/console/kit/forms'
import { parseConfig } from '../../src/process/config'
import { actorText } from '../../src/records/actor'
import { ensureEpoch } from '../../src/registry/epoch'
import { Keys } from '../../src/store/keys'
import { Store } from '../../src/store/store'
import { credentials, refused, startGuardedRedis, type Role } from '../support/acl'
import { newConsole, type ConsoleAtHand } from '../support/console'
import { fillHostile } from '../support/console-data'
import { ROUTES } from '../support/console-routes'
import type { TestRedis } from '../support/redis'
import { Registries } from '../support/registries'
import type { Site } from '../support/registry'

const keys = new Keys('ud:')

/** For what any form asks. */
const FIELDS_OF_ALL = {
  ...{ reason: 'x', text: 'x', note: 'x', name: 'new', tenant: 'new', domain: 'new.example' },
  ...{ domains: 'new.example', limits: '9/1h', for: '1d', steps: 'proof', auth: 'new@x.example' },
  ...{ mode: 'monitor', [FIELDS.confirmed]: 'yes' },
}

/** Pages that read more when they are asked something. */
const ASKING = [
  ...[
    '/search?q=contoso',
    '/search?q=lure.example',
    '/search?q=192.0.2.1',
    '/audit?tenant=contoso',
  ],
  ...['/explain?from=x@lure.example&ip=192.0.2.1', '/tenants/contoso/register?domain=x.example'],
  ...['/tenants/contoso/report?days=90', '/incidents/contoso:1'],
]

describe('the console with the users of docs/acl', () => {
  let redis: TestRedis
  let admin: Redis
  let console: ConsoleAtHand
  before(async () => {
    redis = await startGuardedRedis(['tenantctl', 'tenantctl-read'])
    admin = redis.client()
    const storeOf = (role: Role): Store => new Store(redis.client(credentials(role)), keys)
    const [writing, reading] = [storeOf('tenantctl'), storeOf('tenantctl-read')]
    const store = new Store(admin, keys)
    await ensureEpoch(store)
    const site = { store, registry: new Registries(store) } as Site
    await fillHostile(site)
    const registry = new KnownRegistry(reading, `${scratchDir('state')}/registry.json`)
    const { config } = parseConfig({}, '/nowhere')
    const effective = new EffectiveConfig(reading, config)
    const signed = (person: Parameters<typeof recordedAs>[0]): Store =>
      writing.as(actorText({ os: 'root', redis: 'tenantctl', note: recordedAs(person) }))
    const parts = { reading, writing, signed, config: () => effective.get() }
    const readOnly = (isWrite: boolean) => registry.readOnly(isWrite)
    console = newConsole({}, { ...parts, readOnly }, site)
  })
  after(() => redis.stop())

  for (const role of ['viewer', 'admin'] as const) {
    it(`shows every page to a person of the role ${role}`, async () => {
      await admin.call('ACL', 'LOG', 'RESET')
      const paths = ROUTES.filter(({ method }) => method === 'GET').map(({ path }) => path)
      for (const path of [...paths, ...ASKING]) {
        const answer = await console.as(role).get(path)
        const page = await answer.text()
        assert.ok(answer.status < 500, `${path}: ${answer.status} ${page}`)
        assert.doesNotMatch(page, /NOPERM|The Redis user of the console may not/, path)
      }
      // Reveals passwords of Redis, so that no user may: the doctor goes on without it.
      const known = ['tenantctl-read: command config|get']
      assert.deepEqual(
        (await refused(admin)).filter((each) => !known.includes(each)),
        [],
      )
      assert.deepEqual(console.faults, [])
    })
  }

  it('does with every form what the user of [redis] may do', async () => {
    await admin.call('ACL', 'LOG', 'RESET')
    let done = 0
    for (const { method, path } of ROUTES) {
      if (method !== 'POST') continue
      const answer = await console.as('admin').post(path, FIELDS_OF_ALL)
      assert.ok(answer.status < 500, `${path}: ${answer.status} ${await answer.text()}`)
      if (answer.status === 303) done++
    }
    assert.ok(done >= 10, `${done} forms were taken`)
    assert.deepEqual(await refused(admin), [])
    const lines = await admin.lrange(keys.audit('contoso'), 0, -1)
    assert.ok(lines.some((line) => line.includes('root\ttenantctl\tconsole:ann')))
  })
})
