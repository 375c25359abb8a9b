import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { startRedis, type TestRedis } from '../support/redis'
import { charge } from './charging'
import { Cli, errorOf } from './cli'

const BLOCKED =
  '550 5.7.750 Service unavailable. Client blocked from sending from unregistered domains'

describe('tenantctl explain', () => {
  let redis: TestRedis
  let cli: Cli
  before(async () => {
    redis = await startRedis()
    cli = new Cli(redis.url)
    await cli.given(
      'tenant add contoso --limits 1/1h',
      'domain add contoso contoso.com --subdomains',
      'connector add contoso web --ip 192.0.2.0/24 --auth web --cert mail.contoso.com',
      'tenant add fabrikam',
      'domain add fabrikam fabrikam.com',
      'block fabrikam --reason test',
    )
  })
  after(() => redis.stop())

  const explain = (...args: string[]): Promise<unknown> => cli.json('explain', ...args)

  it('registered, by address', async () => {
    assert.deepEqual(await explain('--from', 'ann@news.contoso.com', '--ip', '192.0.2.7'), {
      tenant: 'contoso',
      connector: 'contoso/web',
      class: 'registered',
      domain: 'news.contoso.com',
      matched: 'contoso.com',
      verdict: 'pass',
      reply: null,
    })
  })

  it('unregistered, by AUTH user: it would be charged, and is not', async () => {
    for (let round = 0; round < 2; round++) {
      assert.deepEqual(await explain('--from', 'ann@lure.example', '--auth', 'web'), {
        tenant: 'contoso',
        connector: 'contoso/web',
        class: 'unregistered',
        domain: 'lure.example',
        matched: null,
        verdict: 'charge',
        reply: null,
      })
    }
    assert.equal(
      ((await cli.json('status', 'contoso')) as { windows: { used: number }[] }).windows[0]?.used,
      0,
    )
  })

  it('the null sender, by certificate', async () => {
    assert.deepEqual(await explain('--from', '', '--cert', 'mail.contoso.com'), {
      tenant: 'contoso',
      connector: 'contoso/web',
      class: 'null',
      domain: null,
      matched: null,
      verdict: 'charge',
      reply: null,
    })
  })

  it('a recipient of the tenant itself is not charged', async () => {
    const args = ['--from', 'ann@lure.example', '--ip', '192.0.2.7', '--to', 'bob@contoso.com']
    assert.equal(((await explain(...args)) as { verdict: string }).verdict, 'pass')
  })

  it('restricted: the exact reply; by the owner of the AUTH user’s domain', async () => {
    assert.deepEqual(await explain('--from', 'x@lure.example', '--auth', 'joe@fabrikam.com'), {
      tenant: 'fabrikam',
      connector: null,
      class: 'unregistered',
      domain: 'lure.example',
      matched: null,
      verdict: 'refuse',
      reply: BLOCKED,
    })
  })

  it('the recipient that would trip', async () => {
    await cli.given('tenant add tailspin --limits 1/1h', 'connector add tailspin a --auth tail')
    await charge(redis, cli, 'tailspin')
    const args = ['--from', 'x@lure.example', '--auth', 'tail']
    const { verdict, reply } = (await explain(...args)) as { verdict: string; reply: string }
    assert.deepEqual({ verdict, reply }, { verdict: 'refuse', reply: BLOCKED })
    assert.deepEqual(
      ((await cli.json('restricted')) as { tenant: string }[]).map(({ tenant }) => tenant),
      ['fabrikam'],
    )
  })

  it('no tenant', async () => {
    assert.deepEqual(await explain('--from', 'ann@contoso.com', '--ip', '198.51.100.1'), {
      tenant: null,
      connector: null,
      class: null,
      domain: 'contoso.com',
      matched: null,
      verdict: 'ignore',
      reply: null,
    })
  })

  it('tells people step by step', async () => {
    const { out, status } = await cli.run(
      'explain',
      '--from',
      'x@lure.example',
      '--ip',
      '192.0.2.7',
    )
    assert.equal(status, 0)
    assert.match(out, /^session +.*connector contoso\/web$/m)
    assert.match(out, /^tenant +mode enforce/m)
    assert.match(out, /^sender +lure\.example is not registered/m)
    assert.match(out, /^MAIL +/m)
    assert.match(out, /^RCPT +.*1 of 1 in 1h/m)
    assert.match(out, /^verdict +charge$/m)
  })

  it('ends with 2 for what is no address, user or name', async () => {
    for (const args of [
      [],
      ['--from', 'not an address'],
      ['--from', 'a@contoso.com', '--to', 'nowhere@'],
      ['--from', 'a@contoso.com', '--ip', 'contoso.com'],
      ['--from', 'a@contoso.com', '--auth', ''],
    ]) {
      const result = await cli.run('explain', ...args)
      assert.equal(result.status, 2, args.join(' '))
      assert.match(errorOf(result), /^tenantctl: [^\n]+\n$/)
    }
  })
})
