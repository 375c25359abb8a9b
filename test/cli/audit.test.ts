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
    assert.deepEqual(await cli.json('audit', 'nobody'), [])
    assert.match((await cli.run('audit', 'nobody')).out, /^no changes in the last 30 days$/m)
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
