import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { after, before, describe, it } from 'node:test'
import { startRedisCluster, type TestCluster } from '../../scripts/services/redis-cluster'
import { tenantctl } from '../../scripts/services/tenantctl'
import { waitFor } from '../../scripts/services/wait-for'
import { startClusterRelay, type RelayCluster } from '../support/cluster'
import { RECIPIENT, UNREGISTERED } from '../support/failover'
import type { TestRelay } from '../support/relay'
import { REPLY } from '../support/replies'
import { WEBHOOK_SECRET, WebhookEndpoint } from '../support/webhook-endpoint'
import { tenantctl as tenantctlHere } from '../cli/cli'

const NODES = 2

/** A Haraka and tenantctl, both configured with `[redis] cluster[]` only. */
describe('a relay on a Redis Cluster', () => {
  let cluster: TestCluster
  let relay: TestRelay<RelayCluster>
  let endpoint: WebhookEndpoint
  before(async () => {
    cluster = await startRedisCluster()
    endpoint = await WebhookEndpoint.start()
    const alerts = { webhook: endpoint.url, webhook_secret: WEBHOOK_SECRET }
    relay = await startClusterRelay(cluster, { nodes: NODES, settings: { alerts } })
  })
  after(async () => {
    await relay?.stop()
    await cluster?.stop()
    await endpoint?.stop()
  })

  /** How often an alert of this kind was posted for the tenant; empty: without a tenant. */
  function posted(kind: string, tenant: string): number {
    const those = endpoint.received.filter(({ data }) => data.kind === kind)
    return those.filter(({ data }) => data.tenant === tenant).length
  }

  /** tenantctl with the configuration of Haraka. */
  async function ctl(...args: string[]): Promise<string> {
    const run = await tenantctl(['--config', relay.haraka.configDir, ...args])
    assert.equal(run.status, 0, `${args.join(' ')}: ${run.stdout}${run.stderr}`)
    return run.stdout
  }

  /** Waits until every worker has logged this about the tenant. */
  async function heard(word: string, tenant: string, from: number): Promise<void> {
    const line = new RegExp(`\\b${word}\\b.*${tenant}`, 'g')
    const logged = () => relay.haraka.log.slice(from).match(line)?.length === NODES
    await waitFor(logged, { what: `${word} ${tenant} in ${NODES} workers` })
  }

  it('counts, trips, and then refuses byte for byte', async () => {
    const tenant = await relay.tenant('contoso', { limits: '3/1h' })
    const to = ['a@far.example', 'b@far.example', 'c@far.example', 'd@far.example']
    const sent = await tenant.send({ from: UNREGISTERED, to })
    assert.deepEqual(
      sent.rcpts.map(({ code }) => code),
      [250, 250, 250, 550],
    )
    assert.equal(sent.rcpts[3]!.raw, REPLY.blocked)
    assert.equal(await tenant.used(), 3)
    const next = await tenant.send({ from: UNREGISTERED, to: RECIPIENT })
    assert.equal(next.last.raw, REPLY.blocked)
    const own = await tenant.send({ from: `a@${tenant.domain}`, to: RECIPIENT })
    assert.ok(own.delivered, String(own.last))
    assert.match(await ctl('restricted'), /contoso/)
  })

  it('tenantctl blocks and unblocks, and it reaches each worker', async () => {
    const tenant = await relay.tenant('fabrikam', { limits: '100/1h' })
    await tenant.send({ from: UNREGISTERED, to: RECIPIENT })
    let from = relay.haraka.log.length
    await ctl('block', 'fabrikam', '--reason', 'phishing')
    await heard('blocked', 'fabrikam', from)
    const refused = await tenant.send({ from: UNREGISTERED, to: RECIPIENT })
    assert.equal(refused.mail.raw, REPLY.blocked)
    from = relay.haraka.log.length
    await ctl('unblock', 'fabrikam', '--reason', 'cleaned')
    await heard('unblocked', 'fabrikam', from)
    const sent = await tenant.send({ from: UNREGISTERED, to: RECIPIENT })
    assert.ok(sent.delivered, String(sent.last))
    const status = JSON.parse(await ctl('status', 'fabrikam', '--json')) as {
      windows: { used: number }[]
    }
    assert.equal(status.windows[0]?.used, 1)
  })

  it('a trip is recorded, alerted once, and opens a case with its evidence, which tenantctl shows', async () => {
    const interrupt = new AbortController()
    let followed = ''
    const following = tenantctlHere(
      ['--config', relay.haraka.configDir, 'events', '--follow', '--tenant', 'northwind'],
      { interrupt: interrupt.signal, onOut: (text) => (followed += text) },
    )
    const tenant = await relay.tenant('northwind', { limits: '3/1h' })
    const to = ['a@far.example', 'b@far.example', 'c@far.example', 'd@far.example']
    await tenant.send({ from: UNREGISTERED, to })
    await waitFor(() => posted('restricted', 'northwind') === 1)
    await waitFor(() => /Tenant restricted .*northwind/.test(followed))
    interrupt.abort()
    assert.equal((await following).status, 0)

    const domain = UNREGISTERED.split('@')[1]!
    await waitFor(async () => (await ctl('report', 'northwind')).includes(domain))
    const [evidence, events, audit, opened, suggested, unusual] = await Promise.all([
      ctl('evidence', 'northwind'),
      ctl('events', '--tenant', 'northwind'),
      ctl('audit', 'northwind'),
      ctl('case', 'show', 'northwind:1'),
      ctl('suggest', 'northwind', '--dns', '127.0.0.1:1'),
      ctl('unusual', 'northwind', '--json'),
    ])
    for (const shown of [evidence, opened, suggested]) assert.ok(shown.includes(domain), shown)
    assert.match(events, /Tenant restricted from sending unprovisioned email: northwind/)
    assert.match(audit, /restriction tripped/)
    JSON.parse(unusual)
    await ctl('unattributed')

    await ctl('case', 'check', 'northwind:1', 'proof', '--note', 'seen')
    await ctl('unblock', 'northwind', '--reason', 'cleaned')
    await Promise.all([
      ctl('case', 'close', 'northwind:1', '--note', 'done'),
      ctl('alert', 'test'),
      waitFor(() => posted('lifted', 'northwind') === 1),
      waitFor(() => posted('test', '') === 1),
    ])
    assert.match(await ctl('case', 'list', '--all'), /northwind:1/)
    await ctl('tenant', 'remove', 'northwind', '--purge')
    assert.doesNotMatch(await ctl('case', 'list', '--all'), /northwind:1/)
    assert.doesNotMatch(await ctl('events'), /northwind/)
    assert.equal(posted('restricted', 'northwind'), 1)
    assert.deepEqual(endpoint.forged, [])
    assert.doesNotMatch(relay.haraka.log, /CROSSSLOT|unhandled|Caught exception|TypeError/)
  })

  it('tenantctl registers, moves, applies a file, explains and finds no fault', async () => {
    // Few calls: each takes seconds on a busy machine.
    const file = path.join(relay.haraka.dir, 'tenants.yaml')
    writeFileSync(
      file,
      'id: file\ntenants: { tailspin: { domains: [moves.example] }, wingtip: {}, adatum: {} }\n',
    )
    await ctl('apply', file)
    await Promise.all([
      ctl('domain', 'move', 'moves.example', 'adatum'),
      ctl('domain', 'add', 'wingtip', 'wingtip.example', '--subdomains'),
      ctl('connector', 'add', 'wingtip', 'mx', '--ip', '192.0.2.7'),
    ])
    const asked = ['--from', 'x@sub.wingtip.example', '--ip', '192.0.2.7', '--to', RECIPIENT]
    const [domains, explained] = await Promise.all([
      ctl('domain', 'list', 'adatum'),
      ctl('explain', ...asked, '--json'),
      ctl('tenant', 'remove', 'tailspin'),
    ])
    assert.match(domains, /moves\.example/)
    assert.match(explained, /"class": "registered"/)
    const lines = JSON.parse(await ctl('doctor', '--json')) as { level: string; check: string }[]
    assert.equal(lines.filter(({ check }) => check === 'redis').length, 3)
    assert.deepEqual(
      lines.filter(({ level }) => level === 'fail'),
      [],
    )
  })

  it('scripts flushed on every node are sent again', async () => {
    const tenant = await relay.tenant('litware')
    await tenant.send({ from: UNREGISTERED, to: RECIPIENT })
    for (const node of cluster.nodes) await node.call('SCRIPT', 'FLUSH')
    const sent = await tenant.send({ from: UNREGISTERED, to: RECIPIENT })
    assert.ok(sent.delivered, String(sent.last))
    assert.equal(await tenant.used(), 2)
  })

  it('while the slot of a tenant is half-moved: 451, and registered mail passes', async () => {
    const tenant = await relay.tenant('proseware')
    await tenant.send({ from: UNREGISTERED, to: RECIPIENT })
    const migration = await cluster.migration(relay.store.keys.tenant('proseware'))
    await migration.begin()
    for (let step = 0; step < 3; step++) {
      const refused = await tenant.send({ from: UNREGISTERED, to: RECIPIENT })
      assert.equal(refused.last.raw, REPLY.undecidable)
      const own = await tenant.send({ from: `a@${tenant.domain}`, to: RECIPIENT })
      assert.ok(own.delivered, String(own.last))
      await migration.moveKeys(1)
    }
    await migration.finish()
    const sent = await tenant.send({ from: UNREGISTERED, to: RECIPIENT })
    assert.ok(sent.delivered, String(sent.last))
    await waitFor(async () => (await tenant.used()) === 2)
  })
})
