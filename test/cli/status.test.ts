import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { startRedis, type TestRedis } from '../support/redis'
import { charge, chargeForward } from './charging'
import type { StatusView } from '../../src/cli/views/status'
import { Cli, FORWARDS_ON } from './cli'

const ESC = '\u001b'

describe('tenantctl status', () => {
  let redis: TestRedis
  before(async () => {
    redis = await startRedis()
  })
  after(() => redis.stop())

  it('prints the meters of a tenant as JSON', async () => {
    const cli = new Cli(redis.url)
    await cli.run('tenant', 'add', 'contoso', '--limits', '3/1h, 10/1d defer')
    await charge(redis, cli, 'contoso')
    await charge(redis, cli, 'contoso')
    assert.deepEqual(await cli.json('status', 'contoso'), {
      tenant: 'contoso',
      mode: 'enforce',
      restricted: false,
      restriction: null,
      windows: [
        { window: '1h', limit: 3, defer: false, used: 2, remaining: 1 },
        { window: '1d', limit: 10, defer: true, used: 2, remaining: 8 },
      ],
      forwarded: null,
      held: 0,
      null: [
        { window: '1h', limit: 300, defer: false, used: 0, remaining: 300 },
        { window: '1d', limit: 1500, defer: false, used: 0, remaining: 1500 },
      ],
      forecast: null,
      forwarded_forecast: null,
      probation: null,
      temporary: null,
      null_temporary: null,
      forwarded_temporary: null,
    })
  })

  it('shows a trip: since when, by which limit, domain, connector and address', async () => {
    const cli = new Cli(redis.url)
    await cli.given('tenant add contoso --limits 1/1h')
    assert.equal(await charge(redis, cli, 'contoso'), 'CHARGED')
    assert.equal(await charge(redis, cli, 'contoso'), 'TRIPPED')
    const status = (await cli.json('status', 'contoso')) as {
      restricted: boolean
      restriction: { since: string }
    }
    assert.equal(status.restricted, true)
    assert.ok(Math.abs(Date.parse(status.restriction.since) - Date.now()) < 60_000)
    assert.deepEqual(status.restriction, {
      since: status.restriction.since,
      by: 'automatic',
      reason: 'allowance of 1/1h exceeded',
      scope: 'unregistered',
      case: 'contoso:1',
      trigger: {
        window: '1h',
        limit: 1,
        used: 1,
        domain: 'lure.example',
        connector: 'contoso/web',
        ip: '192.0.2.7',
      },
    })
    const { out } = await cli.run('status', 'contoso')
    assert.match(out, /^restricted +since \S+Z: unregistered mail is refused$/m)
    assert.match(out, /^trigger +1 in 1h reached, from lure\.example, connector contoso\/web, /m)
    assert.match(out, /^to lift it +tenantctl unblock contoso --reason TEXT$/m)
    assert.match(out, /^unregistered +1h +\[#{20}\] +1 +1 +100 % +in (1h|\d+m|1h \d+m)$/m)
  })

  it('chooses and orders tenants: by text, restricted, past the lowest warn_at, a number of them', async () => {
    const cli = new Cli(redis.url)
    await cli.given(
      'tenant add contoso --limits 4/1h',
      'tenant add fabrikam --name Contoso-Works --limits 4/1h',
      'tenant add tailspin --limits 4/1h',
      'block tailspin --reason test',
    )
    for (let times = 0; times < 2; times++) await charge(redis, cli, 'fabrikam')
    await charge(redis, cli, 'contoso')
    const ids = async (...args: string[]): Promise<string> => {
      const found = (await cli.json(...args)) as { tenant: string }[]
      return found.map(({ tenant }) => tenant).join(' ')
    }
    assert.equal(await ids('status'), 'fabrikam contoso tailspin')
    assert.equal(await ids('status', '--sort', 'tenant'), 'contoso fabrikam tailspin')
    assert.equal(await ids('status', '--filter', 'CONTOSO', '--limit', '1'), 'fabrikam')
    assert.equal(await ids('status', '--near'), 'fabrikam')
    assert.equal(await ids('status', '--restricted'), 'tailspin')
    assert.equal(await ids('tenant', 'list', '--near'), 'fabrikam')
    assert.equal(await ids('tenant', 'list', '--restricted'), 'tailspin')
    assert.equal(await ids('tenant', 'list', '--sort', 'created'), 'tailspin fabrikam contoso')
    assert.equal(
      await ids('tenant', 'list', '--filter', 'contoso', '--sort', 'name'),
      'fabrikam contoso',
    )
    const none = await cli.run('status', '--filter', 'nobody')
    assert.equal(none.out, 'no tenant is like that\n')
  })

  it('refuses an unknown order, and a choice among tenants beside one tenant', async () => {
    const cli = new Cli(redis.url)
    const unknown = await cli.run('status', '--sort', 'colour')
    assert.equal(unknown.status, 2)
    assert.match(unknown.err, /--sort "colour" is not one of usage, pace, tenant, name/)
    assert.equal((await cli.run('status', 'contoso', '--near')).status, 2)
    assert.equal((await cli.run('tenant', 'list', '--limit', '0')).status, 2)
  })

  it('draws the meters for people, without colours', async () => {
    const cli = new Cli(redis.url)
    await cli.given('tenant add contoso --limits 4/1h --null-limits unlimited')
    await charge(redis, cli, 'contoso')
    const { out } = await cli.run('status', 'contoso')
    assert.match(out, /^METER +WINDOW +USAGE +USED +LIMIT +PERCENT +FREES UP$/m)
    assert.match(out, /^unregistered +1h +\[#{5}\.{15}\] +1 +4 +25 % +in \S/m)
    assert.match(out, /^null +unlimited$/m)
    assert.match(out, /^mode +enforce \(default\)$/m)
    assert.ok(!out.includes(ESC))
    const coloured = await cli.runIn({ terminal: true, env: {} }, 'status', 'contoso')
    assert.ok(coloured.out.includes(`${ESC}[`))
    const plain = await cli.runIn({ terminal: true, env: { NO_COLOR: '1' } }, 'status', 'contoso')
    assert.ok(!plain.out.includes(ESC))
  })

  it('shows the meter of forwards where there is one, and the messages that may still become forwards', async () => {
    const cli = new Cli(redis.url, FORWARDS_ON)
    await cli.given('tenant add school --forwarded-limits 5/1h')
    assert.equal(await charge(redis, cli, 'school'), 'HELD')
    const { forwarded, held } = (await cli.json('status', 'school')) as StatusView
    assert.deepEqual(forwarded, [{ window: '1h', limit: 5, defer: false, used: 0, remaining: 5 }])
    assert.equal(held, 1)
    const { out } = await cli.run('status', 'school')
    assert.match(out, /^forwarded +1h +\[\.{20}\] +0 +5 +0 %/m)
    assert.match(out, /^on their way +1 recipients of messages that may be forwards$/m)
    await cli.given('tenant set school --forwarded-limits default')
    assert.equal(((await cli.json('status', 'school')) as StatusView).forwarded, null)
  })

  it('shows the first would-be trip in monitor, until it is cleared', async () => {
    const cli = new Cli(redis.url)
    await cli.given('tenant add contoso --limits 1/1h --mode monitor')
    for (let sent = 0; sent < 3; sent++) {
      assert.equal(await charge(redis, cli, 'contoso'), 'CHARGED')
    }
    const { out } = await cli.run('status', 'contoso')
    assert.match(out, /^would trip +at \S+Z: 1 in 1h reached, from lure\.example/m)
    assert.match(out, /^restricted +no$/m)
    const { windows } = (await cli.json('status', 'contoso')) as { windows: object[] }
    assert.deepEqual(windows, [{ window: '1h', limit: 1, defer: false, used: 3, remaining: 0 }])
    await cli.run('unblock', 'contoso', '--reason', 'seen it')
    const cleared = await cli.run('status', 'contoso')
    assert.doesNotMatch(cleared.out, /would trip/)
    assert.match(cleared.out, /^last lifted +\S+Z by ann: seen it$/m)
  })

  it('lists the tenant nearest a limit of any meter first', async () => {
    const cli = new Cli(redis.url, FORWARDS_ON)
    await cli.given(
      'tenant add adatum --limits 10/1h',
      'tenant add contoso --limits 100/1h --forwarded-limits 4/1h',
      'tenant add fabrikam --limits unlimited --null-limits 2/1h',
      'tenant add tailspin --limits 100/1h',
    )
    await charge(redis, cli, 'adatum')
    for (let sent = 0; sent < 3; sent++) await chargeForward(redis, cli, 'contoso')
    await charge(redis, cli, 'fabrikam', 'null')
    const list = (await cli.json('status')) as { tenant: string }[]
    assert.deepEqual(
      list.map(({ tenant }) => tenant),
      ['contoso', 'fabrikam', 'adatum', 'tailspin'],
    )
    const { out } = await cli.run('status')
    assert.match(out, /^contoso +enforce +no +forwarded +1h +3 +4 +75 %/m)
    assert.match(out, /^fabrikam +enforce +no +null +1h +1 +2 +50 %$/m)
    assert.match(out, /^adatum +enforce +no +unregistered +1h +1 +10 +10 %$/m)
    assert.match(out, /^tailspin +enforce +no +unregistered +1h +0 +100 +0 %$/m)
  })

  it('forecasts when forwards restrict a tenant at this pace', async () => {
    const cli = new Cli(redis.url, FORWARDS_ON)
    await cli.given('tenant add school --forwarded-limits 8/1h')
    await cli.run('tenant', 'add', 'deferred', '--forwarded-limits', '8/1h defer')
    for (let sent = 0; sent < 7; sent++) {
      await chargeForward(redis, cli, 'school')
      await chargeForward(redis, cli, 'deferred')
    }
    const { forecast, forwarded_forecast } = (await cli.json('status', 'school')) as StatusView
    assert.equal(forecast, null)
    assert.deepEqual([forwarded_forecast?.window, forwarded_forecast?.limit], ['1h', 8])
    const deferred = (await cli.json('status', 'deferred')) as StatusView
    assert.equal(deferred.forwarded_forecast, null)
    const one = await cli.run('status', 'school')
    assert.match(one.out, /^at this pace +restricted in \dm: 8 forwards in 1h by \S+Z$/m)
    const all = await cli.run('status')
    assert.match(all.out, /^school +enforce +no +forwarded +1h +7 +8 +87 % {2}restricted in \dm$/m)
    for (let sent = 0; sent < 2; sent++) await chargeForward(redis, cli, 'school')
    const after = (await cli.json('status', 'school')) as StatusView
    assert.deepEqual([after.restricted, after.forwarded_forecast], [true, null])
  })

  it('lists all tenants, the most used first', async () => {
    const cli = new Cli(redis.url)
    assert.deepEqual(await cli.json('status'), [])
    await cli.given(
      'tenant add adatum --limits unlimited',
      'tenant add contoso --limits 10/1h',
      'tenant add fabrikam --limits 2/1h',
      'tenant add tailspin --limits 0/1h',
    )
    await charge(redis, cli, 'contoso')
    await charge(redis, cli, 'fabrikam')
    const list = (await cli.json('status')) as { tenant: string }[]
    assert.deepEqual(
      list.map(({ tenant }) => tenant),
      ['fabrikam', 'contoso', 'adatum', 'tailspin'],
    )
    assert.deepEqual(Object.keys(list[0]!), [
      'tenant',
      'mode',
      'restricted',
      'restriction',
      'windows',
      'null',
      'forwarded',
      'held',
      'forecast',
      'forwarded_forecast',
      'probation',
      'temporary',
      'null_temporary',
      'forwarded_temporary',
    ])
    const { out } = await cli.run('status')
    assert.match(
      out,
      /^TENANT +MODE +RESTRICTED +METER +WINDOW +USED +LIMIT +PERCENT +AT THIS PACE\nfabrikam /,
    )
    assert.match(out, /^fabrikam +enforce +no +unregistered +1h +1 +2 +50 %$/m)
    assert.match(out, /^adatum +enforce +no +unregistered +unlimited$/m)
  })

  it('forecasts when a tenant is restricted at this pace, until it is', async () => {
    const cli = new Cli(redis.url)
    await cli.given(
      'tenant add contoso --limits 8/1h',
      'tenant add monitored --limits 8/1h --mode monitor',
      'tenant add slow --limits 800/1h',
      'tenant add off --limits 8/1h',
      'tenant add blocked --limits 8/1h',
    )
    for (const tenant of ['contoso', 'monitored', 'slow', 'off', 'blocked']) {
      for (let sent = 0; sent < 7; sent++) await charge(redis, cli, tenant)
    }
    await cli.given('tenant set off --mode off', 'block blocked --reason test')
    interface View {
      tenant: string
      forecast: { window: string; limit: number; at: string; seconds: number } | null
    }
    const { forecast } = (await cli.json('status', 'contoso')) as View
    assert.deepEqual([forecast?.window, forecast?.limit], ['1h', 8])
    // Seven in five minutes: the second one from now exceeds the limit.
    const { seconds, at } = forecast!
    assert.ok(seconds >= 80 && seconds <= 87, String(seconds))
    assert.ok(Math.abs(Date.parse(at) - Date.now() - seconds * 1000) < 60_000)
    const all = (await cli.json('status')) as View[]
    assert.deepEqual(
      all.filter((each) => each.forecast).map(({ tenant }) => tenant),
      ['contoso', 'monitored'],
    )
    const { out } = await cli.run('status')
    assert.match(out, /^contoso +enforce +no +unregistered +1h +7 +8 +87 % {2}restricted in 2m$/m)
    assert.match(out, /^monitored .* {2}would be restricted in 2m$/m)
    assert.match(out, /^slow +enforce +no +unregistered +1h +7 +800 +0 %$/m)
    const one = await cli.run('status', 'contoso')
    assert.match(one.out, /^at this pace +restricted in 2m: 8 in 1h by \S+Z$/m)
    const next = async (tenant: string, words: RegExp): Promise<void> => {
      const full = ((await cli.json('status', tenant)) as View).forecast
      assert.deepEqual([full?.limit, full?.seconds], [8, 0], tenant)
      assert.match((await cli.run('status', tenant)).out, words)
    }
    const would = /^at this pace +the next recipient would restrict it: 8 in 1h$/m
    for (const tenant of ['contoso', 'monitored']) await charge(redis, cli, tenant)
    await next('contoso', /^at this pace +the next recipient restricts it: 8 in 1h$/m)
    await next('monitored', would)
    for (const tenant of ['contoso', 'monitored']) await charge(redis, cli, tenant)
    assert.equal(((await cli.json('status', 'contoso')) as View).forecast, null)
    // In monitor, charges go on past the limit.
    await next('monitored', would)
  })

  it('prints no control sequences of a name', async () => {
    const cli = new Cli(redis.url)
    await cli.given('tenant add contoso')
    const key = `${cli.prefix}{contoso}`
    await redis.client().hset(key, 'name', 'Con\u001b[2Jtoso\u009b31m \u202egpj.exe\nforged line')
    const { out } = await cli.run('status', 'contoso')
    assert.match(out, /^tenant +contoso {2}Con\[2Jtoso31m gpj\.exe forged line$/m)
    const json = await cli.run('tenant', 'show', 'contoso', '--json')
    for (const each of [ESC, '\u009b', '\u202e']) assert.ok(!json.out.includes(each))
    assert.match((JSON.parse(json.out) as { name: string }).name, /\u202egpj/)
  })
})
