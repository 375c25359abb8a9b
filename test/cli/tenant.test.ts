import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { startRedis, type TestRedis } from '../support/redis'
import { Cli, errorOf } from './cli'

describe('tenantctl tenant', () => {
  let redis: TestRedis
  before(async () => {
    redis = await startRedis()
  })
  after(() => redis.stop())

  it('adds a tenant, ends with 0 the second time, and with 4 for other settings', async () => {
    const cli = new Cli(redis.url)
    const add = ['tenant', 'add', 'contoso', '--name', 'Contoso Ltd', '--limits', '5/1h,9/1d defer']
    assert.deepEqual(await cli.json(...add), { result: 'added', tenant: 'contoso' })
    assert.deepEqual(await cli.json(...add), { result: 'unchanged', tenant: 'contoso' })
    const other = await cli.run('tenant', 'add', 'contoso')
    assert.equal(other.status, 4)
    assert.match(errorOf(other), /^tenantctl: tenant contoso exists with .*tenant set contoso\n$/)
  })

  it('shows a tenant as JSON and to people', async () => {
    const cli = new Cli(redis.url)
    await cli.given(
      'tenant add contoso --limits 5/1h --mode monitor',
      'domain add contoso contoso.com contoso.de',
      'connector add contoso web --ip 192.0.2.1',
      'block contoso --reason test',
    )
    const view = (await cli.json('tenant', 'show', 'contoso')) as { created_at: string }
    assert.match(view.created_at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
    assert.deepEqual(view, {
      tenant: 'contoso',
      id: 'contoso',
      name: 'contoso',
      mode: 'monitor',
      limits: '5/1h',
      null_limits: null,
      forwarded_limits: null,
      contact: null,
      source: 'ann',
      created_at: view.created_at,
      domains: 2,
      connectors: 1,
      restricted: true,
      probation: null,
    })
    const { out, status } = await cli.run('tenant', 'show', 'contoso')
    assert.equal(status, 0)
    assert.match(out, /^mode +monitor$/m)
    assert.match(out, /^null limits +300\/1h, 1500\/1d \(default\)$/m)
    assert.match(out, /^registered +\S+Z by ann$/m)
  })

  it('sets what is given, and returns to a default', async () => {
    const cli = new Cli(redis.url)
    await cli.given('tenant add contoso --limits 5/1h --mode off')
    assert.deepEqual(await cli.json('tenant', 'set', 'contoso', '--null-limits', '7/1h'), {
      result: 'changed',
      tenant: 'contoso',
    })
    assert.deepEqual(
      await cli.json('tenant', 'set', 'contoso', '--limits', 'default', '--mode', 'default'),
      { result: 'changed', tenant: 'contoso' },
    )
    const view = (await cli.json('tenant', 'show', 'contoso')) as Record<string, unknown>
    assert.deepEqual([view['limits'], view['mode'], view['null_limits']], [null, null, '7/1h'])
    assert.deepEqual(await cli.json('tenant', 'set', 'contoso', '--mode', 'default'), {
      result: 'unchanged',
      tenant: 'contoso',
    })
  })

  it('lists tenants, and says how to add one where there are none', async () => {
    const cli = new Cli(redis.url)
    assert.deepEqual(await cli.json('tenant', 'list'), [])
    assert.match((await cli.run('tenant', 'list')).out, /^no tenants; .*tenant add ID\n$/)
    await cli.given('tenant add fabrikam', 'tenant add contoso')
    const list = (await cli.json('tenant', 'list')) as { id: string }[]
    assert.deepEqual(
      list.map(({ id }) => id),
      ['contoso', 'fabrikam'],
    )
    assert.deepEqual(list[0], await cli.json('tenant', 'show', 'contoso'))
    const { out } = await cli.run('tenant', 'list')
    assert.match(out, /^TENANT +NAME +MODE +LIMITS +DOMAINS +CONNECTORS +RESTRICTED\ncontoso /)
  })

  it('removes a tenant with all its data, unless it is restricted', async () => {
    const cli = new Cli(redis.url)
    await cli.given(
      'tenant add contoso',
      'tenant add fabrikam',
      'domain add contoso contoso.com',
      'connector add contoso web --ip 192.0.2.1',
      'block contoso --reason test',
    )
    const refused = await cli.run('tenant', 'remove', 'contoso')
    assert.equal(refused.status, 4)
    assert.match(errorOf(refused), /restricted.*unblock/)
    await cli.given('unblock contoso --reason test')
    const { out } = await cli.run('tenant', 'remove', 'contoso')
    assert.match(out, /^removed tenant contoso with 1 domain and 1 connector$/m)
    await cli.given(
      'domain add fabrikam contoso.com',
      'connector add fabrikam web --ip 192.0.2.1',
      'tenant add contoso',
    )
    assert.deepEqual(await cli.json('tenant', 'remove', 'contoso'), {
      result: 'removed',
      tenant: 'contoso',
      purged: false,
    })
  })

  it('completes a removal that was interrupted, without a question', async () => {
    const cli = new Cli(redis.url)
    await cli.given('tenant add contoso', 'tenant add fabrikam', 'domain add contoso contoso.com')
    const client = redis.client()
    // Only its hash and its list are gone.
    await client.del(`${cli.prefix}{contoso}`, `${cli.prefix}{contoso}:domains`)
    const { status, out, err } = await cli.runIn({ asks: true }, 'tenant', 'remove', 'contoso')
    assert.equal(status, 0, err)
    assert.match(out, /^completed the removal of tenant contoso, which was interrupted\n/)
    await cli.given('domain add fabrikam contoso.com')
    assert.equal((await cli.run('tenant', 'remove', 'contoso')).status, 3)
  })

  it('ends with 2 for bad input', async () => {
    const cli = new Cli(redis.url)
    await cli.given('tenant add contoso')
    for (const line of [
      'tenant add Contoso',
      'tenant add a/b',
      'tenant add fabrikam --limits 5',
      'tenant add fabrikam --mode enforcing',
      'tenant set contoso',
      'tenant set contoso --limits 5/1y',
      'tenant show @owners',
    ]) {
      const result = await cli.run(...line.split(' '))
      assert.equal(result.status, 2, line)
      assert.match(errorOf(result), /^tenantctl: [^\n]+\n$/, line)
    }
  })

  it('ends with 3 for an unknown tenant', async () => {
    const cli = new Cli(redis.url)
    for (const line of [
      'tenant show contoso',
      'tenant set contoso --mode off',
      'tenant remove contoso',
      'domain add contoso contoso.com',
      'domain list contoso',
      'domain remove contoso contoso.com',
      'connector add contoso web --ip 192.0.2.1',
      'connector list contoso',
      'status contoso',
      'block contoso --reason test',
      'unblock contoso --reason test',
    ]) {
      const result = await cli.run(...line.split(' '))
      assert.equal(result.status, 3, line)
      assert.match(errorOf(result), /^tenantctl: [^\n]*contoso[^\n]*\n$/, line)
    }
  })
})
