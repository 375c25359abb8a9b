// Two hosts with four workers each: what is said to be in force is in force, and what is not is named.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { defaultPlugins, startHaraka, type TestHaraka } from '../../scripts/services/haraka'
import { hostNamed } from '../../scripts/services/host-named'
import { startRedis } from '../../scripts/services/redis'
import type { SmtpClient } from '../../scripts/services/smtp'
import { tenantctl, type Run } from '../../scripts/services/tenantctl'
import { readNodes } from '../../src/nodes/read-nodes'
import type { Node } from '../../src/nodes/node'
import { TestRelay, waitFor, type TestTenant } from '../support'
import { REPLY } from '../support/replies'

const WORKERS = 4
/** Tells a client the worker of its session. */
const TELL_PID = `exports.hook_capabilities = (next, connection) => {
  connection.capabilities.push('XPID ' + process.pid)
  next()
}
`

interface Confirmed {
  readonly in_force: number
  readonly of: number
  readonly hosts: number
  readonly missing: readonly { host: string; worker: number; pid: number; why: string }[]
}

describe('changes on two hosts', () => {
  let relay: TestRelay
  let contoso: TestTenant
  let sessions: SmtpClient[] = []

  before(async () => {
    const redis = await startRedis()
    const hosts = await Promise.all(['mx1', 'mx2'].map((name) => host(redis, name)))
    relay = new TestRelay(redis, hosts)
    contoso = await relay.tenant('contoso')
    await waitFor(async () => (await nodes()).length === 2 * WORKERS)
    sessions = (await Promise.all(hosts.map(openToEachWorker))).flat()
  })
  after(async () => {
    for (const session of sessions) void session.leave()
    await relay?.stop()
  })

  function host(redis: { port: number }, name: string): Promise<TestHaraka> {
    return startHaraka({
      ...{
        redis,
        preload: hostNamed(name),
        nodes: WORKERS,
        plugins: [...defaultPlugins, 'tell_pid'],
      },
      localPlugins: { tell_pid: TELL_PID },
    })
  }

  /** Haraka hands its connections to the workers in turn. */
  async function openToEachWorker(haraka: TestHaraka): Promise<SmtpClient[]> {
    const byWorker = new Map<string, SmtpClient>()
    await waitFor(async () => {
      const client = await haraka.connect(contoso.session)
      const pid = client.capabilities.find((each) => each.startsWith('XPID')) ?? ''
      if (byWorker.has(pid)) await client.quit()
      else byWorker.set(pid, client)
      return byWorker.size === WORKERS
    })
    return [...byWorker.values()]
  }

  async function nodes(): Promise<readonly Node[]> {
    return (await readNodes(relay.store)).nodes
  }

  const run = (...words: string[]): Promise<Run> =>
    tenantctl(['--redis', relay.redis.url, ...words, '--reason', 'test'])

  async function change(...words: string[]): Promise<Confirmed> {
    const { status, stdout, stderr } = await run(...words, '--json')
    assert.equal(status, 0, stderr)
    return (JSON.parse(stdout) as { confirmed: Confirmed }).confirmed
  }

  /** Makes the change, and again until it is as it must be: a busy machine may take longer than a second. */
  async function changeUntil(
    is: (confirmed: Confirmed) => boolean,
    ...words: string[]
  ): Promise<Confirmed> {
    let last: Confirmed | undefined
    await waitFor(async () => is((last = await change(...words)))).catch(() => {
      assert.fail(`${words.join(' ')}: ${JSON.stringify(last)}`)
    })
    return last!
  }

  const everywhere = ({ in_force, of }: Confirmed): boolean => in_force === of
  const without =
    (pid: number) =>
    ({ missing }: Confirmed): boolean =>
      missing.length === 1 && missing[0]!.pid === pid

  /** What each worker answers to MAIL now, without waiting. */
  async function answers(from = 'x@elsewhere.example'): Promise<Set<string>> {
    const replies = await Promise.all(
      sessions.map(async (session) => {
        const { raw, positive } = await session.mail(from)
        if (positive) await session.rset()
        return raw.slice(0, 9)
      }),
    )
    return new Set(replies)
  }

  const BLOCKED = REPLY.blocked.slice(0, 9)
  const BLOCKED_ALL = REPLY.blockedAll.slice(0, 9)
  const CONNECTOR_BLOCKED = REPLY.connectorBlocked.slice(0, 9)
  const OK = '250 sende'

  it('are in force in each worker at the moment in which that is said', async () => {
    for (const [words, from, reply] of [
      [['block', 'contoso'], 'x@elsewhere.example', BLOCKED],
      [['unblock', 'contoso'], 'x@elsewhere.example', OK],
      [['block', 'contoso', '--all', '--yes'], `x@contoso.example`, BLOCKED_ALL],
      [['unblock', 'contoso'], `x@contoso.example`, OK],
      [['connector', 'block', 'contoso', 'mx'], `x@contoso.example`, CONNECTOR_BLOCKED],
      [['connector', 'unblock', 'contoso', 'mx'], `x@contoso.example`, OK],
    ] as const) {
      const { in_force, of, hosts } = await changeUntil(everywhere, ...words)
      assert.deepEqual([in_force, of, hosts], [8, 8, 2])
      assert.deepEqual(await answers(from), new Set([reply]), words.join(' '))
    }
  })

  it('are not in force in a worker that hangs, which is named until it goes on', async () => {
    const hung = (await nodes()).find(({ host }) => host === 'mx2')!
    process.kill(hung.pid, 'SIGSTOP')
    try {
      const { in_force, of, missing } = await changeUntil(without(hung.pid), 'block', 'contoso')
      assert.deepEqual([in_force, of], [7, 8])
      assert.equal(missing[0]!.host, 'mx2')
      const { stdout, status } = await run('block', 'contoso', '--wait')
      assert.equal(status, 5)
      assert.match(
        stdout,
        new RegExp(`^in force on 7 of 8 .*; mx2 worker ${hung.worker} last seen \\d+s ago$`, 'm'),
      )
    } finally {
      process.kill(hung.pid, 'SIGCONT')
    }
    await changeUntil(everywhere, 'block', 'contoso')
    assert.deepEqual(await answers(), new Set([BLOCKED]))
    await changeUntil(everywhere, 'unblock', 'contoso')
  })

  it('do not wait for workers that end after their sessions, and ask those that replace them', async () => {
    const before = new Set((await nodes()).map(({ id }) => id))
    await relay.haraka.restartGracefully()
    await waitFor(async () => {
      const now = (await nodes()).filter(({ draining }) => !draining)
      return now.length === 8 && now.filter(({ id }) => before.has(id)).length === WORKERS
    })
    const { of } = await changeUntil(everywhere, 'block', 'contoso')
    assert.equal(of, 8)
    await changeUntil(everywhere, 'unblock', 'contoso')
  })

  it('do not wait for a worker that was killed, once another of its host has noticed', async () => {
    const killed = (await nodes()).find(({ host }) => host === 'mx2')!
    process.kill(killed.pid, 'SIGKILL')
    await waitFor(async () => !(await nodes()).some(({ id }) => id === killed.id), {
      timeout: 120_000,
    })
    const all = await changeUntil(
      ({ in_force, of }) => in_force === of && of === 8,
      'block',
      'contoso',
    )
    assert.equal(all.hosts, 2)
  })

  it('are asked for at a host that is gone, until a person says that it is', async () => {
    const [, second] = relay.hosts
    second!.signal('SIGKILL')
    const { in_force, of, missing } = await change('block', 'contoso')
    assert.equal(of, 8)
    assert.ok(in_force <= WORKERS)
    assert.deepEqual(
      missing.filter(({ host }) => host === 'mx2').map(({ why }) => why),
      Array.from({ length: WORKERS }, () => 'no answer'),
    )
  })
})
