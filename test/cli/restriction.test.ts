import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { startRedis, type TestRedis } from '../support/redis'
import { charge } from './charging'
import { Cli, errorOf, unconfirmed } from './cli'

describe('tenantctl block, unblock, restricted', () => {
  let redis: TestRedis
  before(async () => {
    redis = await startRedis()
  })
  after(() => redis.stop())

  async function oneTenant(): Promise<Cli> {
    const cli = new Cli(redis.url)
    await cli.given('tenant add contoso --limits 2/1h')
    return cli
  }

  const block = (cli: Cli, ...more: string[]): Promise<unknown> =>
    cli.json('block', 'contoso', '--reason', 'account taken over', ...more)

  it('blocks and widens, and loosens only by unblock', async () => {
    const cli = await oneTenant()
    const one = { tenant: 'contoso', case: 'contoso:1' }
    const answer = (result: string, scope: string): object => ({ result, scope, ...one })
    assert.deepEqual(unconfirmed(await block(cli)), answer('placed', 'unregistered'))
    assert.deepEqual(unconfirmed(await block(cli)), answer('unchanged', 'unregistered'))
    assert.deepEqual(unconfirmed(await block(cli, '--all')), answer('widened', 'all'))
    const narrower = await cli.run('block', 'contoso', '--reason', 'less')
    assert.equal(narrower.status, 4)
    assert.match(errorOf(narrower), /unblock/)
    const unblock = ['unblock', 'contoso', '--reason', 'all clean']
    const open = ['domains', 'connectors', 'servers', 'proof']
    assert.deepEqual(unconfirmed(await cli.json(...unblock)), {
      ...{ result: 'lifted', ...one, open_steps: open, probation: null },
    })
    assert.deepEqual(unconfirmed(await cli.json(...unblock)), {
      ...{ result: 'unchanged', ...one, case: null, open_steps: [], probation: null },
    })
  })

  it('lists who is restricted, since when, by whom and why', async () => {
    const cli = await oneTenant()
    assert.deepEqual(await cli.json('restricted'), [])
    assert.equal((await cli.run('restricted')).out, 'no tenant is restricted\n')
    await cli.given('tenant add fabrikam --limits 1/1h')
    await charge(redis, cli, 'fabrikam')
    await charge(redis, cli, 'fabrikam')
    await block(cli, '--all', '--by', 'bob')
    // The plugin adds a tripped tenant to the index; here no plugin runs.
    await redis.client().sadd(`${cli.prefix}{@restricted}`, 'fabrikam')
    const list = (await cli.json('restricted')) as { tenant: string; since: string }[]
    const contoso = list.find(({ tenant }) => tenant === 'contoso')
    assert.deepEqual(contoso, {
      tenant: 'contoso',
      since: contoso?.since,
      by: 'bob',
      reason: 'account taken over',
      scope: 'all',
      case: 'contoso:1',
      taken: null,
      trigger: null,
    })
    const fabrikam = list.find(({ tenant }) => tenant === 'fabrikam')
    assert.deepEqual(fabrikam, {
      tenant: 'fabrikam',
      since: fabrikam?.since,
      by: 'automatic',
      reason: 'allowance of 1/1h exceeded',
      scope: 'unregistered',
      case: 'fabrikam:1',
      taken: null,
      trigger: {
        window: '1h',
        limit: 1,
        used: 1,
        domain: 'lure.example',
        connector: 'fabrikam/web',
        ip: '192.0.2.7',
      },
    })
    const { out } = await cli.run('restricted')
    assert.match(out, /^TENANT +CASE +TAKEN BY +SINCE +SCOPE +BY +REASON +TRIGGER$/m)
    assert.match(out, /^contoso +contoso:1 +\S+Z +all +bob +account taken over$/m)
  })

  it('starts the windows afresh, unless --keep-usage is given', async () => {
    const cli = await oneTenant()
    const used = async (): Promise<number> => {
      const { windows } = (await cli.json('status', 'contoso')) as { windows: { used: number }[] }
      return windows[0]!.used
    }
    await charge(redis, cli, 'contoso')
    await block(cli)
    await cli.json('unblock', 'contoso', '--reason', 'x', '--keep-usage')
    assert.equal(await used(), 1)
    await block(cli)
    await cli.json('unblock', 'contoso', '--reason', 'x')
    assert.equal(await used(), 0)
  })

  it('records who lifted it, and why', async () => {
    const cli = await oneTenant()
    await block(cli)
    await cli.json('unblock', 'contoso', '--reason', 'password changed', '--by', 'bob')
    const { out } = await cli.run('status', 'contoso')
    assert.match(out, /^last lifted +\S+Z by bob: password changed$/m)
  })

  it('ends with 2 without a reason', async () => {
    const cli = await oneTenant()
    for (const command of ['block', 'unblock']) {
      for (const reason of [
        [],
        ['--reason'],
        ['--reason', ''],
        ['--reason', ' \n'],
        ['--reason', 'a\u001bb'],
      ]) {
        const result = await cli.run(command, 'contoso', ...reason)
        assert.equal(result.status, 2, `${command} ${reason.join(' ')}`)
        assert.match(errorOf(result), /^tenantctl: [^\n]*--reason[^\n]*\n$/)
      }
    }
    assert.deepEqual(await cli.json('restricted'), [])
  })
})
