import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { after, before, describe, it } from 'node:test'
import type { StatusView } from '../../src/cli/views/status'
import type { Explanation } from '../../src/explain/explain'
import { TestDns } from '../support/dns'
import { scratchDir } from '../../scripts/services/scratch'
import { startRedis, type TestRedis } from '../support/redis'
import { keyZones, signer, signMessage } from '../support/signed'
import { charge } from './charging'
import { Cli, errorOf, FORWARDS_ON, tenantctl } from './cli'

const FOREIGN = '550 5.7.60 SMTP; Client does not have permissions to send as this sender'

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
      'domain add contoso agency.example --shared',
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
      owner: null,
      verdict: 'pass',
      reply: null,
    })
  })

  it('unregistered, by AUTH user: it would be charged, but explain charges nothing', async () => {
    for (let round = 0; round < 2; round++) {
      assert.deepEqual(await explain('--from', 'ann@lure.example', '--auth', 'web'), {
        tenant: 'contoso',
        connector: 'contoso/web',
        class: 'unregistered',
        domain: 'lure.example',
        matched: null,
        owner: null,
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
      owner: null,
      verdict: 'charge',
      reply: null,
    })
  })

  it('the null sender of a restricted tenant: a tenth of its limits, one recipient a transaction', async () => {
    const text = (await cli.run('explain', '--from', '', '--auth', 'joe@fabrikam.com')).out
    assert.match(text, /passes, and is counted: 1 of 30 in 1h with this recipient/)
    assert.match(text, /452 4\.5\.3 Too many recipients/)
    const status = (await cli.json('status', 'fabrikam')) as StatusView
    assert.deepEqual(
      status.null!.map(({ limit, remaining }) => [limit, remaining]),
      [
        [30, 30],
        [150, 150],
      ],
    )
    assert.match((await cli.run('status', 'fabrikam')).out, /null sender +a tenth of its limits/)
    const other = (await cli.run('explain', '--from', '', '--cert', 'mail.contoso.com')).out
    assert.doesNotMatch(other, /452/)
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
      owner: null,
      verdict: 'refuse',
      reply: BLOCKED,
    })
  })

  it('an AUTH user in another spelling, and one that two tenants may share', async () => {
    const asked = ['--from', 'x@lure.example', '--auth']
    const web = (await explain(...asked, 'Web\u00a0')) as { connector: string }
    assert.equal(web.connector, 'contoso/web')
    await cli.run('connector', 'add', 'fabrikam', 'twin', '--auth', 'web ')
    const { out: text } = await cli.run('explain', ...asked, ' WEB')
    assert.match(
      text,
      /AUTH user " WEB" differs in its spelling only from a user of each of contoso\/web, fabrikam\/twin/,
    )
    assert.match(text, /451 4\.3\.0 /)
    await cli.given('connector remove fabrikam twin')
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
      owner: null,
      verdict: 'ignore',
      reply: null,
    })
  })

  it('prints the steps for people', async () => {
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
    assert.match(out, /^class +unregistered$/m)
    assert.match(out, /^verdict +charge$/m)
  })

  it('that recipients in its own domains are free, and those in shared ones are not', async () => {
    const verdictOf = async (from: string, to: string): Promise<string> =>
      ((await explain('--from', from, '--to', to, '--ip', '192.0.2.7')) as Explanation).verdict
    for (const from of ['x@shop.example', '']) {
      assert.equal(await verdictOf(from, 'ann@news.contoso.com'), 'pass', from)
      assert.equal(await verdictOf(from, 'ann@agency.example'), 'charge', from)
    }
    assert.equal(await verdictOf('ann@agency.example', 'x@far.example'), 'pass')
  })

  it('the owner of a foreign sender, and the reply where it is refused', async () => {
    const args = ['--from', 'x@fabrikam.com', '--ip', '192.0.2.7']
    const { class: found, owner, verdict } = (await explain(...args)) as Explanation
    assert.deepEqual([found, owner, verdict], ['foreign', 'fabrikam', 'charge'])
    const { out } = await cli.run('explain', ...args)
    assert.match(out, /^sender +fabrikam\.com is not registered: tenant fabrikam owns it$/m)
    assert.match(out, /^class +foreign$/m)
    const dir = scratchDir('explain')
    writeFileSync(
      path.join(dir, 'unregistered-domain.ini'),
      `[redis]\nport=${redis.port}\nprefix=${cli.prefix}\n[foreign]\naction=refuse\n`,
    )
    const refused = await tenantctl(['--config', dir, 'explain', ...args, '--json'])
    const { verdict: then, reply } = JSON.parse(refused.out) as Explanation
    assert.deepEqual([then, reply], ['refuse', FOREIGN])
  })

  it('ends with 2 for an invalid address, user or name', async () => {
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

describe('tenantctl explain --message', () => {
  const MESSAGE = [
    'From: News <news@lists.example>',
    'To: Pupil <pupil@school.example>',
    'Subject: Hello',
    '',
    'Hello',
    '',
  ].join('\r\n')
  const SIGNED = signMessage(MESSAGE, { domain: 'lists.example' })
  let redis: TestRedis
  let cli: Cli
  let dns: TestDns
  const dir = scratchDir('messages')
  before(async () => {
    redis = await startRedis()
    dns = await TestDns.start(keyZones([signer({ domain: 'lists.example' })]))
    cli = new Cli(redis.url, FORWARDS_ON)
    for (const tenant of ['school', 'plain']) {
      await cli.given(
        `tenant add ${tenant} --limits 1/1h`,
        `domain add ${tenant} ${tenant}.example`,
        `connector add ${tenant} mx --auth ${tenant}`,
      )
    }
    await cli.given('tenant set school --forwarded-limits 5/1h')
  })
  after(async () => {
    await redis.stop()
    await dns.stop()
  })

  async function explained(
    message: string,
    ...args: string[]
  ): Promise<Explanation & { out: string }> {
    const file = path.join(dir, 'message.eml')
    writeFileSync(file, message)
    const command = ['explain', '--message', file, '--dns', dns.address, ...args]
    const { out } = await cli.run(...command)
    return { ...((await cli.json(...command)) as Explanation), out }
  }

  it('a proven forward, with any line ends in the file', async () => {
    for (const message of [SIGNED, SIGNED.replaceAll('\r\n', '\n')]) {
      const found = await explained(message, '--from', 'news@lists.example', '--auth', 'school')
      assert.deepEqual([found.class, found.verdict, found.reply], ['forwarded', 'charge', null])
      assert.match(found.out, /^RCPT +passes, and is held/m)
      assert.match(
        found.out,
        /^DATA +DKIM signature of lists\.example \(selector s1\): proves it$/m,
      )
      assert.match(found.out, /^DATA +passes, and is counted as forwarded$/m)
      assert.match(found.out, /^class +forwarded$/m)
    }
    assert.equal(((await cli.json('status', 'school')) as StatusView).held, 0)
  })

  it('why nothing is proven, and how the message counts then', async () => {
    const changed = SIGNED.replace('\r\n\r\nHello', '\r\n\r\nHallo')
    const found = await explained(changed, '--from', 'news@lists.example', '--auth', 'school')
    assert.deepEqual([found.class, found.verdict], ['unregistered', 'charge'])
    assert.match(found.out, /^DATA +DKIM signature of lists\.example .*: body changed$/m)
    assert.match(found.out, /^DATA +no proof that it is a forward: body changed$/m)
    assert.match(found.out, /^DATA +passes, and is counted as unregistered$/m)
  })

  it('that the tenant has no allowance for forwards', async () => {
    const message = SIGNED.replace('school.example', 'plain.example')
    const found = await explained(message, '--from', 'news@lists.example', '--auth', 'plain')
    assert.deepEqual([found.class, found.verdict], ['unregistered', 'charge'])
    assert.match(found.out, /tenantctl tenant set plain --forwarded-limits LIST/)
  })

  it('that forwards are off, so that no proof is looked for and nothing is held', async () => {
    const command = ['explain', '--from', 'news@lists.example', '--auth', 'school', '--dns']
    const off = cli.elsewhere('[forwarded]\nenabled=false\n')
    const { out } = await off.runIn({ stdin: SIGNED }, ...command, dns.address, '--message', '-')
    assert.match(out, /^RCPT +passes, and is counted: 1 of 1 in 1h/m)
    assert.match(out, /^DATA +\[forwarded\] enabled=false, so no proof is looked for$/m)
    assert.match(out, /^class +unregistered$/m)
    const { out: without } = await off.run(...command, dns.address)
    assert.doesNotMatch(without, /^DATA/m)
  })

  it('that the result depends on the message, where none is given', async () => {
    const args = ['--from', 'news@lists.example', '--auth', 'school']
    const { class: found, verdict } = (await cli.json('explain', ...args)) as Explanation
    assert.deepEqual([found, verdict], ['unregistered', 'charge'])
    const { out } = await cli.run('explain', ...args)
    assert.match(out, /^DATA +counted as forwarded or as unregistered, .*: give --message FILE$/m)
  })

  it('a registered sender whose From has no accepted domain', async () => {
    const found = await explained(MESSAGE, '--from', 'ann@school.example', '--auth', 'school')
    assert.deepEqual([found.class, found.verdict], ['registered', 'pass'])
    assert.match(
      found.out,
      /^DATA +From has lists\.example, which is not an accepted domain: reported/m,
    )
    const own = MESSAGE.replace('news@lists.example', 'ann@school.example')
    const fitting = await explained(own, '--from', 'ann@school.example', '--auth', 'school')
    assert.match(fitting.out, /^DATA +From has accepted domains only$/m)
  })

  it('a message from stdin, and refuses an unreadable file', async () => {
    const args = ['explain', '--from', 'ann@school.example', '--auth', 'school', '--message']
    const { status } = await cli.runIn({ stdin: MESSAGE }, ...args, '-')
    assert.equal(status, 0)
    for (const [world, file, reason] of [
      [{}, path.join(dir, 'none.eml'), /none\.eml: cannot be read \(ENOENT\)/],
      [{ stdin: '' }, '-', /the file is empty/],
    ] as const) {
      const result = await cli.runIn(world, ...args, file)
      assert.equal(result.status, 2)
      assert.match(errorOf(result), reason)
    }
  })
})
