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

  it('sets identities in place, shows before and after, and says so where nothing changes', async () => {
    const cli = await twoTenants()
    await cli.given('connector add contoso web --ip 192.0.2.1 --auth ann')
    const set = ['connector', 'set', 'contoso', 'web', '--add-ip', '198.51.100.7']
    set.push('--remove-ip', '192.0.2.1', '--add-cert-sha256', SHA256, '--add-auth', 'Bob')
    const now = {
      ip: ['198.51.100.7/32'],
      cert: [],
      cert_sha256: [`${'ab'.repeat(31)}cd`],
      auth: ['ann', 'bob'],
    }
    assert.deepEqual(await cli.json(...set), {
      ...{ result: 'changed', tenant: 'contoso', name: 'web' },
      was: { ip: ['192.0.2.1/32'], cert: [], cert_sha256: [], auth: ['ann'] },
      now,
    })
    assert.deepEqual(await cli.json(...set), {
      ...{ result: 'unchanged', tenant: 'contoso', name: 'web' },
      ...{ was: now, now },
    })
    const { out } = await cli.run(
      ...'connector set contoso web --remove-auth bob --add-ip 192.0.2.0/24'.split(' '),
    )
    assert.equal(
      out,
      `changed connector contoso/web
  was  ip 198.51.100.7/32, sha256 abababababababab…, auth ann, auth bob
  now  ip 192.0.2.0/24, ip 198.51.100.7/32, sha256 abababababababab…, auth ann
`,
    )
    const again = await cli.run(...'connector set contoso web --remove-auth bob'.split(' '))
    assert.match(again.out, /^connector contoso\/web is so already: ip 192\.0\.2\.0\/24, /)
    const audit = await cli.run('audit', 'contoso')
    assert.match(
      audit.out,
      /connector changed +auth bob, ip 198\.51\.100\.7\/32, .*ip 192\.0\.2\.0\/24/,
    )
  })

  it('refuses to set what would not be right, and changes nothing', async () => {
    const cli = await twoTenants()
    await cli.given(
      'connector add contoso web --ip 192.0.2.1',
      'connector add fabrikam mx --auth ann',
    )
    const before = await cli.json('connector', 'list')
    for (const [line, status, reason] of [
      ['contoso web', 2, /nothing to set/],
      ['contoso web --add-ip contoso.com', 2, /IP prefix/],
      ['contoso web --add-ip 192.0.2.7 --remove-ip 192.0.2.7', 2, /to be added and to be removed/],
      ['contoso edge --add-ip 192.0.2.7', 3, /contoso\/edge/],
      ['tailspin web --add-ip 192.0.2.7', 3, /tailspin\/web/],
      ['contoso web --remove-ip 192.0.2.1', 4, /no identity left/],
      ['contoso web --add-auth ann', 4, /connector set fabrikam mx --remove-auth ann/],
    ] as const) {
      const result = await cli.run('connector', 'set', ...line.split(' '))
      assert.equal(result.status, status, line)
      assert.match(errorOf(result), reason, line)
    }
    assert.deepEqual(await cli.json('connector', 'list'), before)
  })
})

describe('tenantctl connector find', () => {
  let redis: TestRedis
  let cli: Cli
  before(async () => {
    redis = await startRedis()
    cli = new Cli(redis.url)
    await cli.given(
      'tenant add contoso',
      'tenant add fabrikam',
      'domain add contoso contoso.com',
      'connector add contoso net --ip 192.0.2.0/24 --ip 2001:db8:7::/48',
      'connector add contoso mx --ip 192.0.2.64/26 --cert mx.contoso.com --cert *.out.contoso.com',
      `connector add fabrikam edge --cert-sha256 ${SHA256} --auth web@fabrikam.com --auth *@fabrikam.com`,
      'connector add fabrikam odd --auth straße@odd.example',
      'connector add contoso odd --auth strasse@odd.example',
      'connector disable contoso net',
      'connector block fabrikam edge --reason taken',
    )
  })
  after(() => redis.stop())

  const find = async (what: string): Promise<unknown[]> => {
    const found = (await cli.json('connector', 'find', what)) as {
      connector: string
      by: string
      identity: string
    }[]
    return found.map(({ connector, by, identity }) => [connector, by, identity])
  }

  it('finds a connector by what a session would show, with the identity that matches', async () => {
    for (const [what, ...expected] of [
      ['192.0.2.9', ['contoso/net', 'ip', 'ip 192.0.2.0/24']],
      ['192.0.2.70', ['contoso/mx', 'ip', 'ip 192.0.2.64/26']],
      ['::ffff:192.0.2.70', ['contoso/mx', 'ip', 'ip 192.0.2.64/26']],
      ['2001:db8:7::1', ['contoso/net', 'ip', 'ip 2001:db8:7::/48']],
      ['MX.contoso.com', ['contoso/mx', 'tls', 'cert mx.contoso.com']],
      ['a.out.contoso.com', ['contoso/mx', 'tls', 'cert *.out.contoso.com']],
      [SHA256, ['fabrikam/edge', 'tls', `sha256 ${'ab'.repeat(31)}cd`]],
      ['Web@Fabrikam.com', ['fabrikam/edge', 'auth', 'auth web@fabrikam.com']],
      ['new@fabrikam.com', ['fabrikam/edge', 'auth', 'auth *@fabrikam.com']],
      ['STRASSE@odd.example', ['contoso/odd', 'auth', 'auth strasse@odd.example']],
      ['ann@contoso.com', [null, 'auth_user_domain', null]],
    ] as const) {
      assert.deepEqual(await find(what), expected, what)
    }
  })

  it('says whose it is, and that it is disabled or blocked', async () => {
    const disabled = await cli.run('connector', 'find', '192.0.2.9')
    assert.match(
      disabled.out,
      /^tenant +contoso\nconnector +contoso\/net\nby +ip 192\.0\.2\.0\/24$/m,
    )
    assert.match(disabled.out, /^enabled +no\nblocked +no$/m)
    const blocked = await cli.run('connector', 'find', 'web@fabrikam.com')
    assert.match(blocked.out, /^blocked +since \S+ by ann: taken$/m)
    const owner = await cli.run('connector', 'find', 'ann@contoso.com')
    assert.match(owner.out, /^by +owner of the AUTH user’s domain$/m)
  })

  it('ends with 3 where nothing matches, and names what is near', async () => {
    for (const [what, reason] of [
      ['198.51.100.1', /no connector matches "198\.51\.100\.1"$/m],
      ['2001:db8:8::1', /no connector matches "2001:db8:8::1"$/m],
      [
        'smtp.contoso.com',
        /near it: cert \*\.out\.contoso\.com of contoso\/mx, cert mx\.contoso\.com of/,
      ],
      [
        'straSSe@odd.example ',
        /of each of contoso\/odd, fabrikam\/odd differs in its spelling only/,
      ],
      ['nobody', /no connector matches "nobody"$/m],
    ] as const) {
      const result = await cli.run('connector', 'find', what)
      assert.equal(result.status, 3, `${what}: ${result.out}`)
      assert.match(errorOf(result), reason, what)
    }
    const range = await cli.run('connector', 'find', '192.0.2.0/24')
    assert.equal(range.status, 2)
  })
})
