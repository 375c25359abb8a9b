// The commands that change who may send say in how many processes that is in force.
import assert from 'node:assert/strict'
import { after, before, describe, it, type TestContext } from 'node:test'
import { confirmationText } from '../../src/cli/views/confirmation'
import type { Confirmation, Unconfirmed } from '../../src/nodes/confirm'
import { Engine } from '../../src/process/engine'
import { Keys } from '../../src/store/keys'
import { Store } from '../../src/store/store'
import { startRedis, waitFor, type TestRedis } from '../support'
import { settingsFor } from '../support/connection'
import { aNode, beat, LONG_AGO } from '../support/nodes'
import { charge } from './charging'
import { Cli, type Result } from './cli'

const REASON = ['--reason', 'taken over']
const EVERYWHERE = /^in force on 2 of 2 processes on 2 hosts, in \d+ ms$/m

describe('a change by tenantctl', () => {
  let redis: TestRedis
  before(async () => {
    redis = await startRedis()
  })
  after(() => redis.stop())

  const storeOf = ({ prefix }: Cli): Store => new Store(redis.client(), new Keys(prefix))

  /** contoso with a connector, and two processes on two hosts. */
  async function site(t: TestContext): Promise<Cli> {
    const cli = new Cli(redis.url)
    await cli.given('tenant add contoso --limits 1/1h', 'connector add contoso web --ip 192.0.2.1')
    for (const host of ['mx1', 'mx2']) {
      const engine = new Engine(settingsFor(redis, { prefix: cli.prefix }), {
        ...{ onReady() {}, onRestriction() {}, onError() {}, onRedisError() {}, onDrop() {} },
      })
      engine.follow()
      t.after(() => {
        engine.directory.stop()
        engine.store.client.disconnect()
      })
      await waitFor(() => engine.directory.isCurrent)
      await engine.directory.load('contoso')
      await beat(storeOf(cli), { id: engine.processId, host, worker: 1 })
    }
    return cli
  }

  /** Runs a command again until it says what it must: a busy machine may take longer than it waits. */
  async function says(cli: Cli, args: string[], what: RegExp): Promise<Result> {
    let result: Result | undefined
    await waitFor(async () => what.test((result = await cli.run(...args)).out)).catch(() => {
      assert.match(result!.out, what)
    })
    return result!
  }

  it('is in force on all of them', async (t) => {
    const cli = await site(t)
    for (const command of [
      ['connector', 'block', 'contoso', 'web'],
      ['connector', 'unblock', 'contoso', 'web'],
      ['block', 'contoso'],
      ['unblock', 'contoso'],
    ]) {
      const { status, out } = await says(cli, [...command, ...REASON, '--wait'], EVERYWHERE)
      assert.equal(status, 0)
      assert.doesNotMatch(out, /where it is not/)
    }
  })

  it('is counted once for all that a command lifts', async (t) => {
    const cli = await site(t)
    await cli.given('tenant add fabrikam --limits 1/1h')
    for (const tenant of ['contoso', 'contoso', 'fabrikam', 'fabrikam']) {
      await charge(redis, cli, tenant)
    }
    await redis.client().sadd(`${cli.prefix}{@restricted}`, 'contoso', 'fabrikam')
    const { out } = await cli.run('unblock', '--since', '2026-01-01', '--yes', ...REASON)
    assert.equal(out.match(/^in force on . of 2 processes on 2 hosts/gm)?.length, 1, out)
    assert.match(out, /^unblocked 2 tenants/m)
  })

  it('is said after each step of an incident', async (t) => {
    const cli = await site(t)
    await cli.given('block contoso --reason x')
    const world = { asks: true, stdin: 'note\ny\n\n\n' }
    const { out } = await cli.runIn(world, 'incident', 'contoso')
    assert.match(out, /^unblocked contoso, .*\nin force on . of 2 processes on 2 hosts/m)
  })

  it('names the process that has not confirmed it, and says what that does', async (t) => {
    const cli = await site(t)
    await beat(storeOf(cli), { id: 'gone', host: 'mx2', worker: 3 }, LONG_AGO)
    const expected = /^in force on 2 of 3 processes on 2 hosts; mx2 worker 3 last seen 2m ago$/m
    const { status, out } = await says(cli, ['block', 'contoso', ...REASON], expected)
    assert.equal(status, 0, 'the change stands')
    const elsewhere = 'where it is not in force, Redis refuses each unregistered recipient at RCPT'
    assert.ok(out.includes(`\n${elsewhere}\n`), out)
  })

  it('ends with 5 with --wait, though it stands', async (t) => {
    const cli = await site(t)
    await beat(storeOf(cli), { id: 'gone', host: 'mx2', worker: 3 }, LONG_AGO)
    const waiting = await cli.run('block', 'contoso', ...REASON, '--wait', '--json')
    assert.equal(waiting.status, 5)
    assert.match(waiting.err, /"status":5/)
    const { confirmed } = JSON.parse(waiting.out) as {
      confirmed: { of: number; missing: { why: string; last_seen: string }[] }
    }
    const gone = confirmed.missing.find(({ why }) => why === 'no answer')!
    assert.ok(Date.parse(gone.last_seen) <= Date.now() - LONG_AGO + 60_000)
    assert.equal(confirmed.of, 3)
    assert.match((await cli.run('restricted')).out, /^contoso /m)
  })

  it('says that no process has reported, or only older ones', async () => {
    const cli = new Cli(redis.url)
    await cli.given('tenant add contoso')
    const none = await cli.run('block', 'contoso', ...REASON)
    assert.match(none.out, /^no Haraka process has reported$/m)
    const older = redis.client()
    await older.subscribe(`${cli.prefix}changes`)
    const { status, out } = await cli.run('block', 'contoso', ...REASON, '--wait')
    assert.equal(status, 5)
    assert.match(out, /^no Haraka process has reported; 1 older process cannot confirm it$/m)
  })
})

describe('what processes say about a change', () => {
  const missing = (count: number, why = ''): Unconfirmed[] =>
    Array.from({ length: count }, (_, at) => ({
      node: { ...aNode({ id: `${at}`, host: 'mx2', worker: at + 1 }), seen: 0 },
      ...{ why, silent: 12_000 },
    }))
  const ALL: Confirmation = {
    ...{ inForce: 6, of: 6, hosts: 3, ms: 41.3, missing: [], older: 0, notAsked: '' },
  }

  for (const [confirmation, text] of [
    [ALL, 'in force on 6 of 6 processes on 3 hosts, in 41 ms'],
    [{ ...ALL, inForce: 1, of: 1, hosts: 1 }, 'in force on 1 of 1 process on 1 host, in 41 ms'],
    [
      { ...ALL, older: 2 },
      'in force on 6 of 6 processes on 3 hosts, in 41 ms; 2 older processes cannot confirm it',
    ],
    [
      { ...ALL, inForce: 5, missing: missing(1) },
      'in force on 5 of 6 processes on 3 hosts; mx2 worker 1 last seen 12s ago',
    ],
    [
      { ...ALL, inForce: 5, missing: missing(1, 'its registry is lost') },
      'in force on 5 of 6 processes on 3 hosts; mx2 worker 1: its registry is lost',
    ],
    [
      { ...ALL, inForce: 0, missing: missing(6) },
      `in force on 0 of 6 processes on 3 hosts; ${[1, 2, 3, 4, 5].map((worker) => `mx2 worker ${worker} last seen 12s ago; `).join('')}1 more: tenantctl nodes`,
    ],
    [
      { ...ALL, notAsked: 'load docs/acl/tenantctl.acl' },
      'not confirmed: load docs/acl/tenantctl.acl',
    ],
  ] as const) {
    it(`reads: ${text}`, () => {
      assert.equal(confirmationText(confirmation), text)
    })
  }
})
