import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { waitFor } from '../../scripts/services/wait-for'
import type { Alert } from '../../src/records/event'
import { Forwarder } from '../../src/events/forwarder'
import { safeJson } from '../../src/base/safe-text'
import { Keys } from '../../src/store/keys'
import { Store } from '../../src/store/store'
import { raise } from '../support/events'
import { startRedis, type TestRedis } from '../support/redis'
import { Cli, errorOf, type Result } from './cli'

describe('tenantctl events', () => {
  let redis: TestRedis
  before(async () => {
    redis = await startRedis()
  })
  after(() => redis.stop())

  /** Raises these events in order, and publishes them. */
  async function tell(
    cli: Cli,
    ...events: readonly (readonly [string, Parameters<typeof raise>[2], object?])[]
  ) {
    const store = new Store(redis.client(), new Keys(cli.prefix))
    const forwarder = new Forwarder(store, () => Promise.resolve(), {
      onAlert() {},
      onError: (message) => assert.fail(message),
    })
    for (const [tenant, kind, facts] of events) {
      await raise(store, tenant, kind, facts as Record<string, unknown>)
      await forwarder.forward(tenant)
    }
  }

  it('shows them in a table, the newest last', async () => {
    const cli = new Cli(redis.url)
    assert.equal((await cli.run('events')).out, 'no events\n')
    await tell(
      cli,
      ['contoso', 'allowance'],
      ['contoso', 'restricted'],
      ['fabrikam', 'allowance', { percent: 80 }],
    )
    const { status, out } = await cli.run('events')
    assert.equal(status, 0)
    const lines = out.split('\n')
    assert.match(lines[0]!, /^WHEN +SEVERITY +KIND +COUNT +WHAT$/)
    assert.match(
      lines[1]!,
      /Z {2}Low +allowance +contoso has used 50 % of its allowance of 300\/1h$/,
    )
    assert.match(
      lines[2]!,
      /High +restricted +Tenant restricted from sending unprovisioned email: contoso$/,
    )
    assert.match(lines[3]!, /Medium +allowance +fabrikam has used 80 %/)
    const own = await cli.run('events', '--tenant', 'fabrikam')
    assert.equal(own.out.split('\n').length, 3)
    assert.equal((await cli.run('events', '--tenant', 'nobody')).status, 3)
    assert.equal((await cli.run('events', '--tenant', 'No Id')).status, 2)
  })

  it('prints all of them as JSON, with the next commands', async () => {
    const cli = new Cli(redis.url)
    await tell(cli, ['contoso', 'restricted'], ['contoso', 'restricted'])
    const [first, second] = (await cli.json('events')) as (Alert & { joined: boolean })[]
    assert.equal(first!.alert, first!.id)
    assert.deepEqual([first!.count, first!.joined], [1, false])
    assert.deepEqual([second!.alert, second!.count, second!.joined], [first!.id, 2, true])
    assert.match(first!.next.join('\n'), /^tenantctl incident contoso:1 {2}# /)
    assert.equal(first!.facts['reason'], 'allowance of 300/1h exceeded')
  })

  it('prints no control sequences', async () => {
    const cli = new Cli(redis.url)
    await tell(cli, ['contoso', 'unusual', { words: 'a\u001b[2Jb\nc\u202e' }])
    assert.match((await cli.run('events')).out, /contoso: a\[2Jb c$/m)
    const { out } = await cli.run('events', '--json')
    assert.equal(out, safeJson(JSON.parse(out)) + '\n')
  })

  it('reads a stream longer than one batch, in order', async () => {
    const cli = new Cli(redis.url)
    const events = Array.from({ length: 1100 }, () => ['contoso', 'allowance'] as const)
    await tell(cli, ...events)
    const all = (await cli.json('events')) as Alert[]
    assert.deepEqual(
      all.map(({ count }) => count),
      Array.from({ length: 1100 }, (_, at) => at + 1),
    )
  })

  for (const json of [false, true]) {
    it(`--follow${json ? ' --json' : ''} goes on until Ctrl-C, over a restart of Redis, and ends with 0`, async () => {
      const cli = new Cli(redis.url)
      await tell(cli, ['contoso', 'allowance'], ['fabrikam', 'allowance'])
      const interrupt = new AbortController()
      const lines: string[] = []
      const onOut = (text: string): void => void lines.push(text)
      const ended: Promise<Result> = cli.runIn(
        { interrupt: interrupt.signal, onOut },
        ...['events', '--follow', '--tenant', 'contoso', ...(json ? ['--json'] : [])],
      )
      await waitFor(() => lines.length === 1)
      await tell(cli, ['fabrikam', 'restricted'], ['contoso', 'allowance', { percent: 80 }])
      await waitFor(() => lines.length === 2)
      await redis.client().save()
      await redis.kill()
      await redis.restart()
      await tell(cli, ['contoso', 'restricted'])
      await waitFor(() => lines.some((line) => line.includes('Tenant restricted')))
      interrupt.abort()
      const result = await ended
      assert.equal(result.status, 0)
      assert.equal(errorOf(result), '')
      if (json) {
        const kinds = lines.map((line) => (JSON.parse(line) as Alert).kind)
        assert.deepEqual(kinds, ['allowance', 'allowance', 'restricted'])
        assert.ok(lines.every((line) => line.indexOf('\n') === line.length - 1))
      } else {
        assert.match(
          lines.join(''),
          /High +restricted +Tenant .*\n {4}tenantctl incident contoso:1 {2}# /,
        )
      }
    })
  }
})
