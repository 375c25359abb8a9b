import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Redis } from 'ioredis'
import { startHaraka, type TestHaraka } from '../../scripts/services/haraka'
import { pluginIni } from '../../scripts/services/haraka-site'
import { waitFor } from '../../scripts/services/wait-for'
import { parseInfo } from '../../src/cli/doctor/redis'
import { readLost } from '../../src/registry/lost-changes'
import { tenantctl } from '../cli/cli'
import { startRedis, TestRelay, type TestTenant } from '../support'

/** Sends unregistered mail on a host, and counts what was accepted and what got 451. */
class Load {
  accepted = 0
  deferred = 0
  private isOver = false
  private done = Promise.resolve()

  constructor(
    private readonly tenant: TestTenant,
    private readonly host: TestHaraka,
  ) {}

  start(): void {
    this.isOver = false
    this.done = this.run()
  }

  async stop(): Promise<void> {
    this.isOver = true
    await this.done
  }

  /** Waits until more is accepted. */
  async flows(): Promise<void> {
    const before = this.accepted
    await waitFor(() => this.accepted > before + 5)
  }

  private async run(): Promise<void> {
    while (!this.isOver) {
      const mail = { from: 'x@other.example', to: ['a@far.example'] }
      const { last } = await this.tenant.send(mail, { on: this.host })
      if (last.code === 250) this.accepted++
      else this.deferred++
    }
  }
}

async function offsetOf(server: Redis): Promise<string | undefined> {
  return parseInfo(await server.info('replication')).get('master_repl_offset')
}

async function doctorOn(host: TestHaraka): Promise<Record<string, string>> {
  const { out } = await tenantctl(['--config', host.configDir, 'doctor', '--json'])
  const lines = JSON.parse(out) as { check: string; level: string; message: string }[]
  return Object.fromEntries(
    lines.map(({ check, level, message }) => [check, `${level}: ${message}`]),
  )
}

// As docs/redis.md describes it.
describe('the move to another Redis', () => {
  it('loses nothing that was counted or registered', async () => {
    const [old, next] = [await startRedis(), await startRedis()]
    const hosts = await Promise.all([startHaraka({ redis: old }), startHaraka({ redis: old })])
    const relay = new TestRelay(old, hosts)
    try {
      const tenant = await relay.tenant('contoso', { limits: '100000/1h' })
      const taken = await relay.tenant('taken')
      await relay.restrictions.place('taken', { scope: 'unregistered', by: 'ann', reason: 'test' })
      const loads = hosts.map((host) => new Load(tenant, host))
      for (const load of loads) load.start()
      for (const load of loads) await load.flows()

      // The new one as a replica of the old one.
      const [from, to] = [old.client(), next.client()]
      await to.replicaof('127.0.0.1', old.port)
      await waitFor(async () => /master_link_status:up/.test(await to.info('replication')))
      for (const load of loads) await load.flows()
      // No more writes, equal offsets, the old one stopped, the new one promoted.
      await from.call('CLIENT', 'PAUSE', '60000', 'WRITE')
      await waitFor(async () => (await offsetOf(from)) === (await offsetOf(to)))
      void from.call('SHUTDOWN').catch(() => {})
      await waitFor(() => from.status !== 'ready')
      await to.replicaof('NO', 'ONE')
      await waitFor(() => loads.every(({ deferred }) => deferred > 0))
      const refused = await taken.send({ from: 'x@other.example', to: ['a@far.example'] })
      assert.match(String(refused.last), /^550 5\.7\.750/)

      // Host by host.
      for (const [at, host] of hosts.entries()) {
        await loads[at]!.stop()
        host.writeConfig('unregistered-domain.ini', pluginIni({ redis: next }))
        await host.restart()
        const { registry, lost } = await doctorOn(host)
        assert.match(registry ?? '', /^ok: /)
        assert.equal(lost, 'ok: Redis has not gone back in time')
        loads[at]!.start()
        await loads[at]!.flows()
      }
      for (const load of loads) await load.stop()

      const moved = new TestRelay(next, hosts)
      const accepted = loads.reduce((sum, load) => sum + load.accepted, 0)
      await waitFor(async () => (await moved.used('contoso')) === accepted)
      assert.ok(await moved.restriction('taken'))
      assert.equal(await readLost(moved.store), undefined)
    } finally {
      await relay.stop()
      await next.stop()
    }
  })
})
