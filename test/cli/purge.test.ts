import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import path from 'node:path'
import { after, before, describe, it } from 'node:test'
import { scratchDir } from '../../scripts/services/scratch'
import { waitFor } from '../../scripts/services/wait-for'
import { Engine } from '../../src/process/engine'
import { settingsFor } from '../support/connection'
import { startRedis, type TestRedis } from '../support/redis'
import { Cli, errorOf, type Result, type World } from './cli'

describe('tenantctl purge --all', () => {
  let redis: TestRedis
  let cwd: string
  before(async () => {
    redis = await startRedis()
    cwd = scratchDir('purge')
  })
  after(() => redis.stop())

  async function filled(): Promise<Cli> {
    const cli = new Cli(redis.url)
    await cli.given(
      'tenant add contoso',
      'domain add contoso contoso.com',
      'connector add contoso web --ip 192.0.2.1',
      'block contoso --reason x',
    )
    return cli
  }

  function purge(cli: Cli, world: World, ...args: string[]): Promise<Result> {
    const file = `${cli.prefix.slice(0, -1)}.jsonl`
    return cli.runIn({ cwd, ...world }, 'purge', '--all', '--backup', file, ...args)
  }

  function keysOf(cli: Cli): Promise<string[]> {
    return redis.client().keys(`${cli.prefix}*`)
  }

  it('deletes all keys of its prefix and no other, once the prefix is typed and a backup written', async () => {
    const cli = await filled()
    const other = await filled()
    const [keys, others] = [await keysOf(cli), await keysOf(other)]
    const done = await purge(cli, { asks: true, stdin: `${cli.prefix}\n` })
    assert.equal(done.status, 0, done.err)
    assert.match(done.err, new RegExp(`purge deletes ${keys.length} keys: .*Type the prefix`))
    assert.equal(done.out, `deleted ${keys.length} keys under ${cli.prefix}\n`)
    assert.deepEqual(await keysOf(cli), [])
    assert.deepEqual((await keysOf(other)).sort(), others.sort())
    assert.match((await purge(cli, {})).out, /^Redis holds nothing under/)

    const file = `${cli.prefix.slice(0, -1)}.jsonl`
    assert.equal((await cli.runIn({ cwd }, 'restore', file)).status, 0)
    assert.equal((await cli.run('restricted', '--json')).status, 0)
    const again = await purge(cli, {}, '--yes', cli.prefix)
    assert.equal(again.status, 4)
    assert.match(errorOf(again), /\.jsonl is there already: name a new file/)
  })

  it('deletes nothing unless the very prefix is given: 2', async () => {
    const cli = await filled()
    const keys = await keysOf(cli)
    for (const result of [
      await purge(cli, {}),
      await purge(cli, { asks: true, stdin: 'yes\n' }),
      await purge(cli, {}, '--yes', 'ud:'),
      await cli.runIn({ cwd }, 'purge', '--yes', cli.prefix),
    ]) {
      assert.equal(result.status, 2, result.err)
    }
    assert.equal(existsSync(path.join(cwd, `${cli.prefix.slice(0, -1)}.jsonl`)), false)
    assert.equal((await keysOf(cli)).length, keys.length)
  })

  it('is refused while a process of Haraka lives: 4', async () => {
    const cli = await filled()
    const nothing = (): void => {}
    const engine = new Engine(settingsFor(redis, { prefix: cli.prefix }), {
      ...{ onReady: nothing, onRestriction: nothing, onError: nothing },
      ...{ onRedisError: nothing, onDrop: nothing },
    })
    engine.follow()
    await waitFor(() => engine.directory.connectors)
    const refused = await purge(cli, {}, '--yes', cli.prefix)
    assert.equal(refused.status, 4)
    assert.match(errorOf(refused), /a process of Haraka uses .*stop Haraka on all hosts first/)
    engine.release()
    engine.store.client.disconnect()
    await waitFor(async () => (await purge(cli, {}, '--yes', cli.prefix)).status === 0)
    assert.deepEqual(await keysOf(cli), [])
  })

  it('is refused with an empty prefix, which keys of others may have too: 2', async () => {
    const { status, err } = await new Cli(redis.url).runIn(
      { cwd },
      ...['purge', '--all', '--prefix', '', '--yes', '', '--backup', 'empty.jsonl'],
    )
    assert.equal(status, 2)
    assert.match(err, /the prefix of the keys is empty/)
  })

  it('that was stopped is completed by the same command', async () => {
    const cli = await filled()
    const store = redis.client()
    // More than one batch of SCAN.
    for (let at = 0; at < 5000; at++) await store.set(`${cli.prefix}{x}:${at}`, '')
    const stop = new AbortController()
    const stopped = purge(cli, { interrupt: stop.signal }, '--yes', cli.prefix)
    await waitFor(async () => (await store.exists(`${cli.prefix}{@tenants}`)) === 0)
    stop.abort()
    const { status, err } = await stopped
    assert.equal(status, 130, err)
    assert.match(err, /stopped: \d+ of 5,0\d\d keys are deleted, .*run the same command again/)
    assert.equal((await purge(cli, {}, '--yes', cli.prefix)).status, 0)
    assert.deepEqual(await keysOf(cli), [])
  })
})
