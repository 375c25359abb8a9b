import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { osUser } from '../../src/records/actor'
import { startRedis, type TestRedis } from '../support/redis'
import { Cli, errorOf } from './cli'

interface View {
  readonly at: string
  readonly subject: string
  readonly what: string
  readonly os: string
  readonly redis: string
  readonly note: string
}

describe('tenantctl audit', () => {
  let redis: TestRedis
  before(async () => {
    redis = await startRedis()
  })
  after(() => redis.stop())

  const OS = `ann (${osUser()})`

  it('names who made a change: the OS user, the Redis user, and --by as a note', async () => {
    const cli = new Cli(redis.url)
    await cli.given('tenant add contoso')
    await cli.run('--by', 'bob', 'tenant', 'set', 'contoso', '--mode', 'monitor')
    const entries = (await cli.json('audit', 'contoso')) as View[]
    assert.deepEqual(
      entries.map(({ what, os, redis, note }) => [what, os, redis, note]),
      [
        ['tenant added', OS, 'default', ''],
        ['tenant changed', OS, 'default', 'bob'],
      ],
    )
    const { out } = await cli.run('audit', 'contoso')
    assert.match(out, /^WHEN +SUBJECT +WHAT +FROM +TO +BY$/m)
    assert.match(
      out,
      /Z +contoso +tenant changed +mode=default +mode=monitor +ann \(\S+\), Redis user default, bob$/m,
    )
  })

  it('lists changes of all tenants, removed ones too, where none is named', async () => {
    const cli = new Cli(redis.url)
    await cli.given('tenant add contoso', 'tenant add fabrikam', 'tenant remove fabrikam')
    const entries = (await cli.json('audit')) as View[]
    assert.deepEqual(
      entries.map(({ subject, what }) => `${subject}: ${what}`),
      ['contoso: tenant added', 'fabrikam: tenant added', 'fabrikam: tenant removed'],
    )
    assert.equal(((await cli.json('audit', 'fabrikam')) as View[]).length, 2)
  })

  it('ends with 3 for a tenant that was never there, as events does', async () => {
    const cli = new Cli(redis.url)
    await cli.given('tenant add contoso', 'tenant remove contoso', 'init --force')
    for (const [of, there, absent] of [
      ['audit', ['contoso'], ['nobody']],
      ['events', ['--tenant', 'contoso'], ['--tenant', 'nobody']],
    ] as const) {
      assert.equal((await cli.run(of, ...there)).status, 0)
      const result = await cli.run(of, ...absent)
      assert.equal(result.status, 3)
      assert.match(errorOf(result), /^tenantctl: there is no tenant "nobody"/)
    }
  })

  it('finds changes by their time, by whom, and by what was changed', async () => {
    const cli = new Cli(redis.url)
    await cli.given('--by bob tenant add contoso', 'tenant set contoso --limits 5/1h')
    const whats = async (...args: string[]): Promise<string[]> =>
      ((await cli.json('audit', ...args)) as View[]).map(({ what }) => what)
    assert.deepEqual(await whats('--who', 'BOB'), ['tenant added'])
    assert.deepEqual(await whats('--what', '5/1H'), ['tenant changed'])
    assert.deepEqual(await whats('--what', 'added', '--who', 'ann'), ['tenant added'])
    assert.deepEqual(await whats('--to', '2026-01-01'), [])
    const [added] = (await cli.json('audit')) as View[]
    const { at } = added!
    assert.deepEqual(await whats('--from', at), ['tenant added', 'tenant changed'])
    assert.deepEqual(await whats('--to', at, '--days', '1'), [])
    assert.match(
      (await cli.run('audit', '--to', '2026-01-02', '--days', '1')).out,
      /^no such changes from 2026-01-02T00:00:00Z to 2026-01-03T00:00:00Z$/m,
    )
  })

  it('prints CSV', async () => {
    const cli = new Cli(redis.url)
    await cli.given('--by bob tenant add contoso')
    const { out } = await cli.run('audit', '--csv')
    const [names, record] = out.split('\r\n')
    assert.equal(names, 'at,subject,what,from,to,os,redis,note')
    assert.match(record!, /^\S+Z,contoso,tenant added,,.*,default,bob$/)
  })

  it('refuses a span that is empty, and two ways to say where it begins', async () => {
    const cli = new Cli(redis.url)
    const refused = async (...args: string[]): Promise<string> => {
      const result = await cli.run('audit', ...args)
      assert.equal(result.status, 2)
      return errorOf(result)
    }
    assert.match(await refused('--from', '2026-11-02', '--to', '2026-11-01'), /the span is empty/)
    assert.match(await refused('--from', '2026-11-01', '--days', '3'), /without --from/)
    assert.match(await refused('--to', 'yesterday'), /--to "yesterday" is not a day or time/)
    assert.match(await refused('--csv', '--json'), /one of them/)
  })

  it('accepts a number of days', async () => {
    const cli = new Cli(redis.url)
    for (const days of ['0', '366', 'x', '1.5', '']) {
      const result = await cli.run('audit', '--days', days)
      assert.equal(result.status, 2)
      assert.match(errorOf(result), /--days/)
    }
  })
})
