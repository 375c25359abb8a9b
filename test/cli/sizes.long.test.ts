import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { batchesOf } from '../../src/base/lists'
import { DomainRegistry } from '../../src/registry/domain-registry'
import { TenantRegistry } from '../../src/registry/tenant-registry'
import { Keys } from '../../src/store/keys'
import { Store } from '../../src/store/store'
import { startRedis, type TestRedis } from '../support/redis'
import { Cli } from './cli'

const DOMAINS = 100_000
const TENANTS = 10_000

describe('large lists', () => {
  let redis: TestRedis
  let cli: Cli
  let store: Store
  before(async () => {
    redis = await startRedis()
    cli = new Cli(redis.url)
    store = new Store(redis.client(), new Keys(cli.prefix))
  })
  after(() => redis.stop())

  it(`of ${DOMAINS} domains are complete where they are piped, and end after 1,000 on a terminal`, async () => {
    await cli.given('tenant add contoso')
    const domains = Array.from({ length: DOMAINS }, (_, at) => ({
      domain: `d${at}.example`,
      subdomains: false,
      shared: false,
    }))
    for (const batch of batchesOf(domains, 10_000)) {
      await new DomainRegistry(store).add('contoso', batch, 'ann')
    }
    const { out } = await cli.run('domain', 'list', 'contoso')
    const names = out.split('\n').slice(1, -2)
    assert.equal(names.length, DOMAINS)
    assert.equal(new Set(names.map((line) => line.split(' ')[0])).size, DOMAINS)
    const shown = await cli.runIn({ terminal: true }, 'domain', 'list', 'contoso')
    assert.equal(shown.out.split('\n').length, 1004)
    assert.match(shown.out, /and 99,000 more \(--all\)/)
    const all = await cli.runIn({ terminal: true }, 'domain', 'list', 'contoso', '--all')
    assert.equal(all.out.split('\n').length, DOMAINS + 3)
  })

  it(`of ${TENANTS} tenants are complete, and find one of them`, async () => {
    const tenants = new TenantRegistry(store)
    const ids = Array.from({ length: TENANTS }, (_, at) => `t${at}`)
    for (const batch of batchesOf(ids, 500)) {
      await Promise.all(batch.map((id) => tenants.add(id, { name: `Tenant ${id}` }, 'ann')))
    }
    for (const command of ['status', 'tenant list']) {
      const found = (await cli.json(...command.split(' '))) as { tenant: string }[]
      assert.deepEqual(found.map(({ tenant }) => tenant).sort(), [...ids, 'contoso'].sort())
      const [one, ...others] = (await cli.json(
        ...[...command.split(' '), '--filter', 'tenant t4711'],
      )) as { tenant: string }[]
      assert.deepEqual([one!.tenant, others], ['t4711', []])
    }
  })
})
