// Orders to the queues of two Harakas, each a cluster, with queues of their own on one host.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { after, before, describe, it } from 'node:test'
import {
  askQueues,
  dropFromQueues,
  type DroppedFromQueues,
  type QueueList,
} from '../../src/operations/queue-orders'
import {
  startHaraka,
  startRedis,
  tenantctl,
  TestRelay,
  waitFor,
  type TestHaraka,
  type TestRedis,
} from '../support'
import { queueFile } from '../support/queue-files'

const TENANT = 'contoso'
const HOUR = 3_600_000
const LONG = { timeout: 120_000 }

describe('orders to the queues of two Harakas', { concurrency: false }, () => {
  let redis: TestRedis
  let one: TestHaraka
  let two: TestHaraka
  let relay: TestRelay

  before(async () => {
    redis = await startRedis({ args: ['--appendonly', 'yes'] })
    const starting = [1, 2].map(() => startHaraka({ redis, nodes: 2 }))
    ;[one, two] = (await Promise.all(starting)) as [TestHaraka, TestHaraka]
    relay = new TestRelay(redis, [one, two])
    await relay.registry.tenants.add(TENANT, {}, 'test')
    await waitFor(async () => (await relay.store.client.hlen(relay.store.keys.queueHosts)) === 2)
  })
  after(() => relay.stop())

  const directory = (haraka: TestHaraka): string => path.join(haraka.dir, 'queue')
  /** A message that is tried later: a Haraka that starts knows it by its name. */
  const mail = (haraka: TestHaraka, mailFrom = 'x@lure.example'): string =>
    queueFile(directory(haraka), { tenant: TENANT, mailFrom, nextAttempt: Date.now() + HOUR })
  const list = (): Promise<QueueList> => askQueues(relay.store, { tenant: TENANT, for: 'drop' })
  const drop = (from: QueueList): Promise<DroppedFromQueues> => dropFromQueues(relay.store, from)
  /** Whether the queue has no mail of the tenant. */
  const isEmpty = async (haraka: TestHaraka): Promise<boolean> => {
    const { hosts } = await list()
    const own = hosts.find(({ host }) => host.directory === directory(haraka))
    return own?.all.messages === 0
  }
  /** In the trail itself: its readers take two equal entries of one millisecond, by two queues of one host, for one. */
  const entries = async (): Promise<string[]> =>
    (await relay.store.client.lrange(relay.store.keys.audit(TENANT), 0, -1)).filter((entry) =>
      entry.includes('queue dropped'),
    )

  it('are answered by both at once, and each drops what was listed of it', async () => {
    mail(one)
    mail(two)
    mail(two, 'x@bank.example')
    const run = async (...words: string[]): Promise<object[]> => {
      const args = ['--config', one.configDir, 'queue', TENANT, ...words, '--json']
      const { status, stdout, stderr } = await tenantctl(args)
      assert.equal(status, 0, stderr)
      return JSON.parse(stdout) as object[]
    }
    const listed = (await run()) as { queue: string }[]
    assert.deepEqual(
      listed.map(({ queue }) => queue).toSorted(),
      [directory(one), directory(two), directory(two)].toSorted(),
    )
    const shown = (await run('show', '--where', 'domain=bank.example')) as { headers: string[] }[]
    assert.deepEqual(
      shown.map(({ headers }) => headers),
      [['Subject: x']],
    )
    const dropped = await run('drop', '--yes', '--where', 'domain=lure.example')
    assert.deepEqual({ ...dropped, messages: 2, missed: 0 }, dropped)
    assert.deepEqual([await isEmpty(one), await isEmpty(two)], [true, false])
    await drop(await list())
    assert.deepEqual([await isEmpty(two), (await entries()).length], [true, 3])
    for (const haraka of [one, two]) assert.doesNotMatch(haraka.log, /internal error|CRIT/)
  })

  it('are carried out by the process that leads next, where the leading one was killed', async () => {
    mail(one)
    mail(two)
    const listed = await list()
    const workers = childrenOf(one.pid)
    for (const pid of workers) process.kill(pid, 'SIGKILL')
    const done = await drop(listed)
    assert.equal(done.hosts.length + done.silent.length, 2)
    await waitFor(() => isEmpty(one), LONG)
    assert.ok(await isEmpty(two))
    assert.equal((await entries()).length, 5, 'each host has done it once')
  })

  it('are carried out by a Haraka that starts within 15 minutes, once', async () => {
    mail(one)
    mail(two)
    const listed = await list()
    await two.stop()
    const { silent } = await drop(listed)
    assert.deepEqual(
      silent.map(({ host }) => host.directory),
      [directory(two)],
    )
    mail(two, 'x@later.example')
    await two.restart()
    const senders = async (): Promise<string[]> =>
      (await list()).hosts
        .filter(({ host }) => host.directory === directory(two))
        .flatMap((own) => own.mail.map(({ sender }) => sender))
    await waitFor(async () => (await senders()).join() === 'x@later.example')
    await two.restart()
    await waitFor(async () => (await senders()).join() === 'x@later.example')
    assert.equal((await entries()).length, 7)
  })

  it('are answered again after Redis was away', async () => {
    const listed = await list()
    await redis.kill()
    await redis.restart()
    const reached = async (): Promise<boolean> => {
      const done = await drop(listed).catch(() => undefined)
      return done?.hosts.length === 1
    }
    await waitFor(reached, LONG)
    assert.ok(await isEmpty(two))
    for (const haraka of [one, two]) assert.doesNotMatch(haraka.log, /internal error/)
  })

  it('are answered by the workers that follow in a graceful restart', async () => {
    await one.restartGracefully()
    await waitFor(async () => {
      const { hosts, silent } = await list()
      return hosts.length === 2 && silent.length === 0
    }, LONG)
  })
})

function childrenOf(pid: number): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').map(Number)
}
