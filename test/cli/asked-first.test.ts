import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { Keys } from '../../src/store/keys'
import { Store } from '../../src/store/store'
import { record } from '../support/reports'
import { startRedis, type TestRedis } from '../support/redis'
import { Cli, type Result } from './cli'

describe('at a terminal', () => {
  let redis: TestRedis
  before(async () => {
    redis = await startRedis()
  })
  after(() => redis.stop())

  async function oneTenant(): Promise<Cli> {
    const cli = new Cli(redis.url)
    await cli.given(
      'tenant add contoso',
      'domain add contoso contoso.com contoso.de',
      'connector add contoso web --ip 192.0.2.1',
    )
    const store = new Store(redis.client(), new Keys(cli.prefix))
    await record(store, 'contoso', { at: Date.now(), class: 'registered', accepted: 7 })
    return cli
  }

  function answer(cli: Cli, stdin: string, ...args: string[]): Promise<Result> {
    return cli.runIn({ asks: true, stdin }, ...args)
  }

  const GOES = /contoso: 2 domains, 1 connector; 7 recipients of registered mail in the last day$/m

  it('tenant remove says what goes, and removes after a yes only', async () => {
    const cli = await oneTenant()
    const kept = await answer(cli, 'n\n', 'tenant', 'remove', 'contoso')
    assert.match(kept.err, GOES)
    assert.match(kept.err, /^Remove tenant contoso\? \[y\/N\] tenantctl: nothing was removed$/m)
    assert.equal((await cli.run('tenant', 'show', 'contoso')).status, 0)
    const { out } = await answer(cli, 'y\n', 'tenant', 'remove', 'contoso')
    assert.match(out, /^removed tenant contoso with 2 domains and 1 connector$/m)
    assert.equal((await answer(cli, '', 'tenant', 'remove', 'contoso')).status, 3)
    const purged = await answer(cli, 'y\n', 'tenant', 'remove', 'contoso', '--purge')
    assert.match(purged.err, /^Erase its reports, cases, events and audit trail\? /m)
    assert.equal(purged.status, 0)
  })

  it('tenant remove --yes asks nothing', async () => {
    const cli = await oneTenant()
    const { err, status } = await answer(cli, '', 'tenant', 'remove', 'contoso', '--yes')
    assert.equal(status, 0)
    assert.doesNotMatch(err, /\?/)
  })

  it('block --all says what is refused, and block alone asks nothing', async () => {
    const cli = await oneTenant()
    const all = ['block', 'contoso', '--all', '--reason', 'x']
    const kept = await answer(cli, '\n', ...all)
    assert.match(kept.err, GOES)
    assert.match(kept.err, /nothing was changed$/m)
    assert.deepEqual(await cli.json('restricted'), [])
    assert.equal((await answer(cli, '', 'block', 'contoso', '--reason', 'x')).status, 0)
    const { out } = await answer(cli, 'yes\n', ...all)
    assert.match(out, /all mail that it relays is refused/)
  })
})
