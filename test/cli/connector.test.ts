import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { startRedis, type TestRedis } from '../support/redis'
import { Cli, errorOf } from './cli'

const SHA256 = 'AB:'.repeat(31) + 'CD'

describe('tenantctl connector', () => {
  let redis: TestRedis
  before(async () => {
    redis = await startRedis()
  })
  after(() => redis.stop())

  async function twoTenants(): Promise<Cli> {
    const cli = new Cli(redis.url)
    await cli.given('tenant add contoso', 'tenant add fabrikam')
    return cli
  }

  it('adds a connector with every kind of identity, and lists it', async () => {
    const cli = await twoTenants()
    const identities = [
      ...['--ip', '192.0.2.0/24', '--ip', '::ffff:198.51.100.7', '--ip', '2001:DB8::/32'],
      ...['--cert', 'Mail.Contoso.com', '--cert', '*.contoso.com', '--cert-sha256', SHA256],
      ...['--auth', 'Ann', '--auth', '*@contoso.com'],
    ]
    const add = ['connector', 'add', 'contoso', 'edge', ...identities]
    assert.deepEqual(await cli.json(...add), { result: 'added', tenant: 'contoso', name: 'edge' })
    assert.deepEqual(await cli.json(...add), {
      result: 'unchanged',
      tenant: 'contoso',
      name: 'edge',
    })
    const [view, ...rest] = (await cli.json('connector', 'list', 'contoso')) as [
      { added_at: string },
    ]
    assert.deepEqual(rest, [])
    assert.deepEqual(view, {
      tenant: 'contoso',
      name: 'edge',
      ip: ['192.0.2.0/24', '198.51.100.7/32', '2001:db8::/32'],
      cert: ['*.contoso.com', 'mail.contoso.com'],
      cert_sha256: [`${'ab'.repeat(31)}cd`],
      auth: ['*@contoso.com', 'ann'],
      enabled: true,
      blocked: null,
      added_at: view.added_at,
      added_by: 'ann',
      changed_at: null,
    })
    assert.deepEqual(await cli.json('connector', 'list', 'fabrikam'), [])
    const { out } = await cli.run('connector', 'list')
    assert.match(out, /^contoso\/edge +yes +ip 192\.0\.2\.0\/24, /m)
  })

  it('disables, enables and removes', async () => {
    const cli = await twoTenants()
    await cli.given('connector add contoso web --ip 192.0.2.1')
    for (const [word, result] of [
      ['disable', 'disabled'],
      ['disable', 'unchanged'],
      ['enable', 'enabled'],
      ['enable', 'unchanged'],
      ['remove', 'removed'],
    ] as const) {
      assert.deepEqual(await cli.json('connector', word, 'contoso', 'web'), {
        result,
        tenant: 'contoso',
        name: 'web',
      })
    }
    for (const word of ['disable', 'enable', 'remove']) {
      const result = await cli.run('connector', word, 'contoso', 'web')
      assert.equal(result.status, 3, word)
      assert.match(errorOf(result), /contoso\/web/, word)
    }
  })

  it('ends with 2 for a bad or missing identity or name', async () => {
    const cli = await twoTenants()
    for (const [line, reason] of [
      ['web', /identity/],
      ['web --ip 192.0.2.1/24', /192\.0\.2\.0\/24/],
      ['web --ip contoso.com', /IP prefix/],
      ['web --cert *.co.uk', /public suffix/],
      ['web --cert-sha256 abcd', /SHA-256/],
      ['web --auth a*', /star/],
      ['Web! --ip 192.0.2.1', /connector name/],
    ] as const) {
      const result = await cli.run('connector', 'add', 'contoso', ...line.split(' '))
      assert.equal(result.status, 2, line)
      assert.match(errorOf(result), reason, line)
    }
  })

  it('ends with 4 for an identity of another connector, and for an existing connector with other content', async () => {
    const cli = await twoTenants()
    await cli.given('connector add contoso web --ip 192.0.2.1 --auth ann')
    for (const line of ['fabrikam web --auth ANN', 'contoso two --ip 192.0.2.1/32']) {
      const result = await cli.run('connector', 'add', ...line.split(' '))
      assert.equal(result.status, 4, line)
      assert.match(errorOf(result), /contoso\/web/, line)
    }
    const other = await cli.run('connector', 'add', 'contoso', 'web', '--ip', '192.0.2.2')
    assert.equal(other.status, 4)
    await cli.given('connector add fabrikam net --ip 192.0.2.0/24')
  })
})
