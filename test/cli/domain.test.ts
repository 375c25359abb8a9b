import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { startRedis, type TestRedis } from '../support/redis'
import { Cli, errorOf, type Result } from './cli'

/** Ctrl-C as soon as the command listens for it. */
function atOnce(): AbortSignal {
  const { signal } = new AbortController()
  return Object.assign(signal, { addEventListener: (_type: string, stop: () => void) => stop() })
}

describe('tenantctl domain', () => {
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

  async function namesOf(cli: Cli, tenant: string): Promise<string[]> {
    const list = (await cli.json('domain', 'list', tenant)) as { domain: string }[]
    return list.map(({ domain }) => domain)
  }

  it('adds domains as A-labels and lists them', async () => {
    const cli = await twoTenants()
    const add = ['domain', 'add', 'contoso', 'Contoso.COM.', 'bücher.example', '--subdomains']
    assert.deepEqual(await cli.json(...add), {
      result: 'added',
      tenant: 'contoso',
      added: ['contoso.com', 'xn--bcher-kva.example'],
      unchanged: [],
    })
    assert.deepEqual(await cli.json(...add), {
      result: 'unchanged',
      tenant: 'contoso',
      added: [],
      unchanged: ['contoso.com', 'xn--bcher-kva.example'],
    })
    await cli.given('domain add contoso corp.local --shared --by bob')
    const list = (await cli.json('domain', 'list', 'contoso')) as { added_at: string }[]
    assert.deepEqual(
      list.map(({ added_at, ...rest }) => ({
        ...rest,
        isTime: !Number.isNaN(Date.parse(added_at)),
      })),
      [
        ['contoso.com', true, false, 'ann'],
        ['corp.local', false, true, 'bob'],
        ['xn--bcher-kva.example', true, false, 'ann'],
      ].map(([domain, subdomains, shared, added_by]) => ({
        tenant: 'contoso',
        domain,
        subdomains,
        shared,
        added_by,
        isTime: true,
      })),
    )
    const { out } = await cli.run('domain', 'list', 'contoso')
    assert.match(out, /^DOMAIN +SUBDOMAINS +SHARED +ADDED +BY\ncontoso\.com +yes +no +\S+Z +ann\n/)
    assert.match((await cli.run('domain', 'list', 'fabrikam')).out, /has no accepted domains/)
  })

  it('reads names from stdin for -', async () => {
    const cli = await twoTenants()
    const stdin = '# ours\ncontoso.com contoso.de\r\n\ncontoso.fr # since May\ncontoso.com\n'
    const result = await cli.runIn({ stdin }, 'domain', 'add', 'contoso', '-', '--json')
    assert.deepEqual((JSON.parse(result.out) as { added: string[] }).added, [
      'contoso.com',
      'contoso.de',
      'contoso.fr',
    ])
    const none = await cli.runIn({ stdin: '# nothing\n' }, 'domain', 'add', 'contoso', '-')
    assert.equal(none.status, 2)
    assert.match(errorOf(none), /stdin holds no names/)
    await cli.runIn({ stdin: 'contoso.de contoso.fr' }, 'domain', 'remove', 'contoso', '-')
    assert.deepEqual(await namesOf(cli, 'contoso'), ['contoso.com'])
  })

  it('counts many names for people, and lists few', async () => {
    const cli = await twoTenants()
    const stdin = Array.from({ length: 30 }, (_, at) => `n${at}.example`).join(' ')
    const { out } = await cli.runIn({ stdin }, 'domain', 'add', 'contoso', '-', 'contoso.com')
    assert.equal(out, 'added 31 domains to contoso\n')
    const again = await cli.run('domain', 'add', 'contoso', 'contoso.com', 'contoso.de')
    assert.equal(again.out, 'added contoso.de to contoso\ncontoso.com: there already\n')
    assert.match((await cli.run('domain', 'list', 'contoso')).out, /\n32 domains\n$/)
  })

  it('adds all or none', async () => {
    const cli = await twoTenants()
    await cli.given('domain add fabrikam fabrikam.com')
    const owned = await cli.run('domain', 'add', 'contoso', 'contoso.com', 'fabrikam.com')
    assert.equal(owned.status, 4)
    assert.match(errorOf(owned), /fabrikam\.com.*fabrikam/)
    const bad = await cli.run('domain', 'add', 'contoso', 'contoso.com', '192.0.2.1')
    assert.equal(bad.status, 2)
    assert.deepEqual(await namesOf(cli, 'contoso'), [])
  })

  it('ends with 4 for a name that another tenant covers, and for other flags', async () => {
    const cli = await twoTenants()
    await cli.given('domain add contoso contoso.com --subdomains', 'domain add contoso a.example')
    for (const line of [
      'domain add fabrikam contoso.com',
      'domain add fabrikam mail.contoso.com',
      'domain add contoso contoso.com',
    ]) {
      const result = await cli.run(...line.split(' '))
      assert.equal(result.status, 4, line)
      assert.match(errorOf(result), /contoso/, line)
    }
    await cli.given('domain add fabrikam mail.contoso.com --shared')
  })

  it('ends with 2 for a name that cannot be a domain, with the reason', async () => {
    const cli = await twoTenants()
    for (const [name, reason, ...flags] of [
      ['co.uk', /public suffix/],
      ['github.io', /public suffix/, '--subdomains'],
      ['corp.local', /--shared/],
      ['intranet', /--shared/],
      ['[192.0.2.1]', /IP address/],
      ['*.contoso.com', /--subdomains/],
      ['ann@contoso.com', /@/],
      [`${'a.'.repeat(130)}example`, /253/],
    ] as const) {
      const result = await cli.run('domain', 'add', 'contoso', name, ...flags)
      assert.equal(result.status, 2, name)
      assert.match(errorOf(result), reason, name)
    }
  })

  it('removes all domains or none, and ends with 3 for an unknown one', async () => {
    const cli = await twoTenants()
    await cli.given('domain add contoso a.example b.example c.example')
    const absent = await cli.run('domain', 'remove', 'contoso', 'a.example', 'd.example')
    assert.equal(absent.status, 3)
    assert.match(errorOf(absent), /d\.example/)
    assert.deepEqual(await cli.json('domain', 'remove', 'contoso', 'A.example', 'b.example'), {
      result: 'removed',
      tenant: 'contoso',
      removed: ['a.example', 'b.example'],
    })
    assert.deepEqual(await namesOf(cli, 'contoso'), ['c.example'])
  })

  it('sets in place whether names below count', async () => {
    const cli = await twoTenants()
    await cli.given('domain add contoso a.example b.example', 'domain add fabrikam x.b.example')
    assert.deepEqual(await cli.json('domain', 'set', 'contoso', 'A.example', '--subdomains'), {
      result: 'changed',
      tenant: 'contoso',
      changed: ['a.example'],
      unchanged: [],
    })
    const again = await cli.run('domain', 'set', 'contoso', 'a.example', '--subdomains')
    assert.equal(again.out, 'a.example: with subdomains already\n')
    const back = await cli.run('domain', 'set', 'contoso', 'a.example', '--no-subdomains')
    assert.equal(back.out, 'a.example of contoso: now without subdomains\n')
    const owned = await cli.run('domain', 'set', 'contoso', 'b.example', '--subdomains')
    assert.equal(owned.status, 4)
    assert.match(errorOf(owned), /b\.example with subdomains would cover x\.b\.example of fabrikam/)
    assert.equal((await cli.run('domain', 'set', 'contoso', 'c.example', '--subdomains')).status, 3)
    const nothing = await cli.run('domain', 'set', 'contoso', 'a.example')
    assert.equal(nothing.status, 2)
    assert.match(errorOf(nothing), /give --subdomains or --no-subdomains/)
    const added = await cli.run('domain', 'add', 'contoso', 'a.example', '--subdomains')
    assert.match(errorOf(added), /tenantctl domain set contoso a\.example --subdomains$/m)
  })

  it('shows who owns a name, by what, and who has it as shared', async () => {
    const cli = await twoTenants()
    await cli.given(
      ...['domain add contoso a.example --subdomains --by bob', 'domain add contoso x.a.example'],
      'domain add fabrikam x.a.example --shared --subdomains',
      'domain add fabrikam p.local --shared',
    )
    const { owner, shared } = (await cli.json('domain', 'show', 'Y.a.example')) as {
      owner: object
      shared: object[]
    }
    const { added_at, ...of } = owner as { added_at: string }
    assert.ok(!Number.isNaN(Date.parse(added_at)))
    assert.deepEqual(of, {
      state: 'registered',
      ...{ tenant: 'contoso', domain: 'a.example', subdomains: true, shared: false },
      added_by: 'bob',
    })
    assert.deepEqual(shared, [])
    const { out } = await cli.run('domain', 'show', 'z.x.a.example')
    assert.match(out, /^domain +z\.x\.a\.example\n/)
    assert.match(out, /^owner +contoso, by a\.example with subdomains, since \S+Z by bob$/m)
    assert.match(out, /^shared +fabrikam, by x\.a\.example with subdomains, since \S+Z by ann$/m)
    assert.match((await cli.run('domain', 'show', 'p.local')).out, /^owner +no tenant$/m)
    const nobody = await cli.run('domain', 'show', 'b.example')
    assert.equal(nobody.status, 3)
    assert.match(
      errorOf(nobody),
      /no tenant has b\.example.*: tenantctl domain add TENANT b\.example$/m,
    )
  })

  it('shows a name that an interrupted command has claimed', async () => {
    const cli = await twoTenants()
    const redisClient = redis.client()
    await redisClient.hset(`${cli.prefix}{@owners}:names`, 'a.example', 's contoso')
    const { out } = await cli.run('domain', 'show', 'x.a.example')
    assert.match(
      out,
      /contoso has claimed a\.example.*: a command is writing it, or was interrupted/,
    )
    assert.deepEqual(await cli.json('domain', 'show', 'x.a.example'), {
      domain: 'x.a.example',
      owner: { state: 'unfinished', tenant: 'contoso', domain: 'a.example' },
      shared: [],
    })
  })

  it('asks at a terminal before it removes more than ten domains', async () => {
    const cli = await twoTenants()
    const many = Array.from({ length: 11 }, (_, at) => `d${at}.example`)
    await cli.given(`domain add contoso ${many.join(' ')} stays.example`)
    const remove = ['domain', 'remove', 'contoso', ...many]
    const no = await cli.runIn({ asks: true, stdin: 'n\n' }, ...remove)
    assert.equal(no.out, 'nothing was removed\n')
    assert.match(no.err, /contoso has 12 accepted domains; these go: d0\.example, .* and 6 more/)
    assert.match(no.err, /mail from them is unregistered from then on/)
    assert.match(no.err, /Remove 11 domains from contoso\? \[y\/N\] /)
    assert.equal((await namesOf(cli, 'contoso')).length, 12)
    const ten = await cli.runIn({ asks: true }, ...remove.slice(0, -1))
    assert.doesNotMatch(ten.err, /\?/)
    await cli.given(`domain add contoso ${many.join(' ')}`)
    for (const world of [{ asks: true, stdin: 'y\n' }, {}]) {
      const yes = await cli.runIn(world, ...remove)
      assert.equal(yes.status, 0, yes.err)
      assert.deepEqual(await namesOf(cli, 'contoso'), ['stays.example'])
      await cli.given(`domain add contoso ${many.join(' ')}`)
    }
    const unasked = await cli.runIn({ asks: true }, ...remove, '--yes')
    assert.doesNotMatch(unasked.err, /\?/)
    assert.deepEqual(await namesOf(cli, 'contoso'), ['stays.example'])
  })

  it('says that nothing has changed when it is stopped, and how to go on', async () => {
    const cli = await twoTenants()
    await cli.given('domain add contoso a.example')
    for (const line of [
      'domain add contoso b.example',
      'domain set contoso a.example --subdomains',
      'domain remove contoso a.example',
    ]) {
      const { status, err } = await cli.runIn({ interrupt: atOnce() }, ...line.split(' '))
      assert.equal(status, 130, line)
      assert.match(err, /no domain of contoso was changed: run the same command again to go on/)
    }
    assert.deepEqual(await namesOf(cli, 'contoso'), ['a.example'])
  })

  it('moves a domain to another tenant', async () => {
    const cli = await twoTenants()
    await cli.given('domain add contoso a.example --subdomains')
    assert.deepEqual(await cli.json('domain', 'move', 'a.example', 'fabrikam'), {
      result: 'moved',
      domain: 'a.example',
      from: 'contoso',
      tenant: 'fabrikam',
    })
    assert.deepEqual(await cli.json('domain', 'move', 'a.example', 'fabrikam'), {
      result: 'unchanged',
      domain: 'a.example',
      from: null,
      tenant: 'fabrikam',
    })
    assert.deepEqual(await namesOf(cli, 'contoso'), [])
    assert.deepEqual(await namesOf(cli, 'fabrikam'), ['a.example'])
    assert.equal((await cli.run('domain', 'move', 'b.example', 'contoso')).status, 3)
    assert.equal((await cli.run('domain', 'move', 'a.example', 'nobody')).status, 3)
    await cli.given('domain add contoso c.example --shared')
    assert.equal((await cli.run('domain', 'move', 'c.example', 'fabrikam')).status, 4)
  })

  describe('two at once', () => {
    for (const [what, first, second] of [
      ['of one name', ['contoso.com'], ['contoso.com']],
      [
        'of a name and its parent with --subdomains',
        ['mail.contoso.com'],
        ['contoso.com', '--subdomains'],
      ],
    ] as const) {
      it(`${what}: exactly one wins`, async () => {
        for (let round = 0; round < 5; round++) {
          const cli = await twoTenants()
          const results: Result[] = await Promise.all([
            cli.run('domain', 'add', 'contoso', ...first),
            cli.run('domain', 'add', 'fabrikam', ...second),
          ])
          assert.deepEqual(results.map(({ status }) => status).sort(), [0, 4])
          const owned = [...(await namesOf(cli, 'contoso')), ...(await namesOf(cli, 'fabrikam'))]
          assert.equal(owned.length, 1)
        }
      })
    }
  })
})
