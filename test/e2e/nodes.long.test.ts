// The processes of two Harakas, each a cluster on a host of its own name, as tenantctl shows them.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { Severity } from '../../src/records/event'
import { LATE, MISSING } from '../../src/nodes/node'
import {
  startHaraka,
  startRedis,
  tenantctl,
  waitFor,
  type TestHaraka,
  type TestRedis,
} from '../support'

interface NodeView {
  readonly id: string
  readonly host: string
  readonly pid: number
  readonly worker: number
  readonly state: string
  readonly differs: readonly { readonly section: string; readonly key: string }[]
}
interface NodesView {
  readonly processes: number
  readonly live: number
  readonly older: number
  readonly missing_hosts: readonly { readonly host: string }[]
  readonly nodes: readonly NodeView[]
}

const LONG = { timeout: 180_000 }
/** Only root gives a process another name of its host. */
const noHostNames = process.getuid?.() === 0 ? false : 'not as root'

describe('the processes of two hosts', { concurrency: false, skip: noHostNames }, () => {
  let redis: TestRedis
  let one: TestHaraka
  let two: TestHaraka

  const start = (host: string, mail_to: string): Promise<TestHaraka> =>
    startHaraka({
      redis,
      nodes: 4,
      settings: { alerts: { mail_to } },
      command: [
        'unshare',
        '--uts',
        'sh',
        '-c',
        `hostname ${host}; exec "$0" "$@"`,
        process.execPath,
      ],
    })

  before(async () => {
    redis = await startRedis({ args: ['--appendonly', 'yes'] })
    const starting = [start('mx1', 'noc@a.example'), start('mx2', 'noc@b.example')]
    ;[one, two] = (await Promise.all(starting)) as [TestHaraka, TestHaraka]
    await ask('tenant', 'add', 'contoso')
  }, LONG)
  after(async () => {
    await Promise.all([one.stop(), two.stop()])
    await redis.stop()
  })

  async function ask(...words: string[]): Promise<string> {
    const { status, stdout, stderr } = await tenantctl(['--redis', redis.url, ...words])
    assert.ok(status === 0 || words[0] === 'doctor', `${words.join(' ')}: ${stderr}`)
    return stdout
  }
  const nodes = async (): Promise<NodesView> =>
    JSON.parse(await ask('nodes', '--json')) as NodesView
  const of = async (host: string): Promise<NodeView[]> =>
    (await nodes()).nodes.filter((each) => each.host === host)
  const allLive = (): Promise<unknown> =>
    waitFor(async () => {
      const { processes, live } = await nodes()
      return processes === 8 && live === 8
    }, LONG)

  it('shows all eight, and the key of the ini file that differs', LONG, async () => {
    await allLive()
    const { older, nodes: all } = await nodes()
    assert.equal(older, 0)
    assert.deepEqual(
      all.map(({ host, worker }) => `${host} ${worker}`),
      ['mx1 1', 'mx1 2', 'mx1 3', 'mx1 4', 'mx2 1', 'mx2 2', 'mx2 3', 'mx2 4'],
    )
    const differing = all.filter(({ differs }) => differs.length > 0)
    assert.deepEqual([...new Set(differing.map(({ host }) => host))], ['mx2'])
    const what = differing[0]!.differs.map(({ section, key }) => `[${section}] ${key}`)
    assert.deepEqual(what, ['[alerts] mail_to'])
    assert.match(await ask('doctor'), /warn {2}alike: mx2 differs: \[alerts\] mail_to: noc@b/)
    assert.match(
      await ask('block', 'contoso', '--reason', 'x'),
      /in force on 8 of 8 processes on 2 hosts/,
    )
  })

  it('names a process that hangs', LONG, async () => {
    const [, hung] = await of('mx1')
    process.kill(hung!.pid, 'SIGSTOP')
    try {
      assert.match(await ask('unblock', 'contoso', '--reason', 'x'), /7 of 8.*mx1 worker 2 /)
      await waitFor(async () => (await of('mx1'))[1]?.state === 'late', { timeout: 3 * LATE })
      assert.match(await ask('nodes'), /^8 processes on 2 hosts: 1 silent, 2 configurations$/m)
      assert.match(await ask('doctor'), /warn {2}nodes: mx1 worker 2 \(pid \d+\) says nothing for/)
    } finally {
      process.kill(hung!.pid, 'SIGCONT')
    }
    await allLive()
  })

  it('shows a worker in the place of one that was killed, which is gone', LONG, async () => {
    const [, , killed] = await of('mx1')
    process.kill(killed!.pid, 'SIGKILL')
    await waitFor(async () => (await of('mx1')).some(({ worker }) => worker === 5), LONG)
    await allLive()
    assert.ok(!(await of('mx1')).some(({ id }) => id === killed!.id))
  })

  it('alerts that a host is missing, and that it reports again', { timeout: 400_000 }, async () => {
    const alerts = async (): Promise<string[]> => {
      const all = JSON.parse(await ask('events', '--json')) as {
        readonly kind: string
        readonly severity: Severity
        readonly title: string
      }[]
      return all
        .filter(({ title }) => title.includes('Host mx2'))
        .map(({ severity, title }) => `${severity}: ${title.replace(/ since .*/, '')}`)
    }
    two.signal('SIGKILL')
    const missing = 'High: Host mx2 is missing: no process there has reported'
    await waitFor(async () => (await alerts()).length > 0, { timeout: 4 * MISSING })
    assert.deepEqual(await alerts(), [missing])
    assert.deepEqual(
      (await nodes()).missing_hosts.map(({ host }) => host),
      ['mx2'],
    )
    assert.match(await ask('doctor'), /fail {2}nodes: mx2 is missing since .*, with 4 processes/)
    await two.restart()
    await allLive()
    await waitFor(async () => (await alerts()).length > 1, LONG)
    assert.deepEqual(await alerts(), [missing, 'Informational: Host mx2 reports again'])
  })

  it('shows a worker that drains its sessions until its end', LONG, async () => {
    const before = new Set((await of('mx1')).map(({ id }) => id))
    const session = await one.connect()
    await one.restartGracefully()
    await waitFor(async () => (await nodes()).nodes.some(({ state }) => state === 'draining'), LONG)
    assert.match(await ask('nodes'), /^9 processes on 2 hosts: 1 draining, 2 configurations$/m)
    await session.quit()
    await allLive()
    assert.ok((await of('mx1')).every(({ id }) => !before.has(id)))
  })
})
