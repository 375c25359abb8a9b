import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { defaultsOf } from '../../src/allowance/defaults'
import { Exporter } from '../../src/metrics/exporter'
import { loadConfig } from '../../src/process/config-file'
import { Store } from '../../src/store/store'
import { startHaraka, startRedis, TestRelay, waitFor, type TestRedis } from '../support'
import { valuesOf } from '../support/prometheus-text'
import { startRedisProxy, type RedisProxy } from '../support/redis-proxy'

const UNREGISTERED = 'x@lure.example'
const WORKERS = 2

/** Mail that the sink has, beside the counters of an exporter that reads all the time. */
describe('the counters of metrics', () => {
  let redis: TestRedis
  let way: RedisProxy
  let relay: TestRelay
  let exporter: Exporter
  /** What the exporter has read last, and whether a counter has ever fallen. */
  let latest: Record<string, number> = {}
  const fallen: string[] = []
  let reads = true
  let reading: Promise<void>

  before(async () => {
    redis = await startRedis({ args: ['--appendonly', 'yes'] })
    way = await startRedisProxy(redis.port)
    const options = { redis: way, nodes: WORKERS }
    const haraka = await startHaraka({
      ...options,
      settings: { redis: { command_timeout: 1000 }, allowance: { limits: '100000/1h' } },
    })
    relay = new TestRelay(redis, [haraka])
    const { config } = loadConfig(undefined)
    exporter = new Exporter({
      store: new Store(redis.client(), relay.store.keys),
      settings: config.metrics,
      defaults: defaultsOf(config),
      ...{ commandTimeout: 1000, version: '0', cached: 0, onTrouble: assert.fail },
    })
    reading = readOn()
  })
  after(async () => {
    reads = false
    await reading
    await relay.stop()
    await way.stop()
  })

  async function readOn(): Promise<void> {
    while (reads) {
      const now = valuesOf(await exporter.text(), 'recipients_total')
      for (const [counter, value] of Object.entries(now)) {
        const earlier = latest[counter] ?? 0
        if (value < earlier) fallen.push(`${counter} from ${earlier} to ${value}`)
      }
      if (Object.keys(now).length > 0) latest = now
      await sleep(50)
    }
  }

  /** Recipients in the sink, by whether their sender is registered. */
  function inSink(): { registered: number; unregistered: number } {
    const sums = { registered: 0, unregistered: 0 }
    const { sink } = relay.haraka
    for (const { mailFrom, rcptTo } of [...sink.messages(), ...sink.probes()]) {
      sums[mailFrom === UNREGISTERED ? 'unregistered' : 'registered'] += rcptTo.length
    }
    return sums
  }

  const counted = (): { registered: number; unregistered: number } => ({
    registered: latest['registered accepted'] ?? 0,
    unregistered: latest['unregistered accepted'] ?? 0,
  })

  it('are what the sink has, over lost answers, killed workers and restarts, and never fall', async (t) => {
    const tenant = await relay.tenant('contoso')
    const own = `a@${tenant.domain}`

    /** Sends some messages of each class, on connections that reach any worker. */
    async function send(messages: number, senders = [own, UNREGISTERED]): Promise<void> {
      for (let at = 0; at < messages; at++) {
        const client = await tenant.connect()
        for (const from of senders) {
          const to = Array.from({ length: (at % 3) + 1 }, (_, number) => `r${number}@far.example`)
          await client.send({ from, to })
        }
        await client.quit()
      }
    }

    await send(20)
    await waitFor(() => isSame(counted(), inSink()), { timeout: 60_000 })

    // Commands reach Redis and their answers do not, at any moment of several flushes. Registered mail needs no answer.
    const end = performance.now() + 25_000
    for (let cuts = 0; performance.now() < end; cuts++) {
      way.hold()
      await send(1, [own])
      way.cut()
      way.release()
      await send(1 + (cuts % 3))
    }
    await waitFor(() => isSame(counted(), inSink()), { timeout: 60_000 })
    t.diagnostic(`after lost answers: ${JSON.stringify(counted())}`)

    // Redis is killed and comes back with what it had.
    await redis.kill()
    way.cut()
    await redis.restart()
    await waitFor(
      async () =>
        (
          await relay.haraka.send({
            session: tenant.session,
            from: UNREGISTERED,
            to: 'x@far.example',
          })
        ).delivered,
    )
    await send(5)
    await waitFor(() => isSame(counted(), inSink()), { timeout: 60_000 })

    // A killed worker loses what it had not flushed, and nothing is counted twice.
    const before = inSink()
    await send(5)
    const [victim] = relay.haraka.sink.messages().slice(-1)
    process.kill(victim!.pid, 'SIGKILL')
    const from = relay.haraka.log.length
    await relay.haraka.waitForLog(/Listening on/, { from }).catch(() => {})
    await send(5)
    await waitFor(
      () => {
        const [now, all] = [counted(), inSink()]
        return now.registered <= all.registered && now.registered > before.registered
      },
      { timeout: 60_000 },
    )

    // A restart flushes first.
    await relay.haraka.restart()
    const lost = { ...inSink() }
    const afterRestart = counted()
    lost.registered -= afterRestart.registered
    lost.unregistered -= afterRestart.unregistered
    t.diagnostic(`lost with the killed worker: ${JSON.stringify(lost)}`)
    for (const kind of ['registered', 'unregistered'] as const) {
      assert.ok(lost[kind] >= 0, `${kind}: counted more than the sink has`)
    }
    await send(10)
    await waitFor(
      () => {
        const [now, all] = [counted(), inSink()]
        return (
          all.registered - now.registered === lost.registered &&
          all.unregistered - now.unregistered === lost.unregistered
        )
      },
      { timeout: 60_000 },
    )
    assert.deepEqual(fallen, [])
  })
})

function isSame(a: object, b: object): boolean {
  return JSON.stringify(a) === JSON.stringify(b)
}
