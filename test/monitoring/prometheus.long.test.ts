// A real Prometheus scrapes two exporters of a real relay while things go wrong: the shipped alerts fire.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { startExporter, type TestExporter } from '../../scripts/services/exporter'
import { hostNamed } from '../../scripts/services/host-named'
import {
  noPrometheus,
  promtool,
  startPrometheus,
  type TestPrometheus,
} from '../../scripts/services/prometheus'
import { startHaraka, startRedis, tenantctl, TestRelay, waitFor, type TestTenant } from '../support'
import {
  alertRules,
  dashboardPanels,
  expressions,
  monitoringFile,
  readMonitoring,
  RULES,
} from '../support/monitoring'

/** A channel that takes nothing, so that alerts wait. */
const SETTINGS = { 'alert oncall': { url: 'http://127.0.0.1:1/' } }

describe('the files of monitoring/', { skip: noPrometheus }, () => {
  it('are rules that promtool accepts', async () => {
    const checked = await promtool(['check', 'rules', ...RULES.map(monitoringFile)])
    const found = [...checked.matchAll(/SUCCESS: (\d+) rules found/g)].map(([, count]) => count)
    assert.equal(
      found.reduce((sum, count) => sum + Number(count), 0),
      alertRules().length,
    )
  })

  it('are rules that pass their own tests', async () => {
    assert.match(await promtool(['test', 'rules', monitoringFile('rules.test.yml')]), /SUCCESS/)
  })

  it('are an example that Prometheus accepts', async () => {
    const file = monitoringFile('prometheus.yml')
    assert.match(await promtool(['check', 'config', '--syntax-only', file]), /SUCCESS/)
  })
})

describe('a Prometheus with the shipped rules', { skip: noPrometheus }, () => {
  let relay: TestRelay
  let exporters: TestExporter[]
  let prometheus: TestPrometheus
  let contoso: TestTenant

  before(async () => {
    const redis = await startRedis({ args: ['--maxmemory', '64mb'] })
    const hosts = ['mx1', 'mx2'].map((name) =>
      startHaraka({ redis, settings: SETTINGS, preload: hostNamed(name) }),
    )
    relay = new TestRelay(redis, await Promise.all(hosts))
    exporters = await Promise.all(relay.hosts.map(({ configDir }) => startExporter(configDir)))
    prometheus = await startPrometheus({
      exporters: exporters.map(({ port }) => port),
      // What lasts minutes in the shipped file fires at once here. Expressions stay as they are.
      rules: RULES.map((name) => readMonitoring(name).replace(/^( +for:) .*$/gm, '$1 0s')),
    })
  })
  after(async () => {
    await prometheus?.stop()
    await Promise.all((exporters ?? []).map((exporter) => exporter.stop()))
    await relay?.stop()
  })

  const type = async (...args: string[]): Promise<void> => {
    const { status, stderr } = await tenantctl(['--config', relay.haraka.configDir, ...args])
    assert.equal(status, 0, stderr)
  }

  const sendAbroad = async (messages: number): Promise<void> => {
    for (let sent = 0; sent < messages; sent++) {
      await contoso.send({ from: 'x@lure.example', to: 'a@far.example' })
    }
  }

  it('finds nothing wrong with a relay that works', async () => {
    const processes =
      'sum without (role) (max without (instance, job) (unregistered_domain_processes))'
    await waitFor(async () => (await prometheus.query(`${processes} == 2`)).length > 0)
    await waitFor(async () => (await prometheus.query('count(up == 1) == 2')).length > 0)
    await waitFor(async () => (await prometheus.alerts()).length === 0)
  })

  it('shows that a tenant has used nearly all of its allowance, and is restricted', async () => {
    contoso = await relay.tenant('contoso', { limits: '5/1h' })
    await sendAbroad(4)
    const near = await prometheus.firing('TenantNearLimit', { tenant: 'contoso', window: '1h' })
    assert.match(near.annotations['summary'] ?? '', /contoso has used 80% .* 1h \(unregistered\)/)
    await sendAbroad(2)
    await prometheus.firing('TenantRestricted', { tenant: 'contoso', scope: 'unregistered' })
  })

  it('tells a restriction within probation from the first one', async () => {
    const names = (await prometheus.alerts()).map(({ labels }) => labels['alertname'])
    assert.ok(!names.includes('TenantRestrictedAgain'), names.join())
    await type('unblock', 'contoso', '--reason', 'trial', '--limits', '1/1h', '--for', '7d')
    await prometheus.quiet('TenantRestricted')
    await sendAbroad(2)
    await prometheus.firing('TenantRestrictedAgain', { tenant: 'contoso' })
  })

  it('shows a connector that is blocked', async () => {
    await relay.tenant('fabrikam')
    await type('connector', 'block', 'fabrikam', 'mx', '--reason', 'stolen')
    await prometheus.firing('ConnectorBlocked')
    await type('connector', 'unblock', 'fabrikam', 'mx', '--reason', 'secured')
    await prometheus.quiet('ConnectorBlocked')
  })

  it('shows that enforcement is paused, until it is resumed', async () => {
    await type('enforcement', 'pause', '--reason', 'wrong limit')
    await prometheus.firing('EnforcementPaused')
    await type('enforcement', 'resume', '--reason', 'corrected', '--keep-usage')
    await prometheus.quiet('EnforcementPaused')
  })

  it('shows that a host has another configuration', async () => {
    relay.hosts[1]!.writeSettings({ ...SETTINGS, main: { refuse_at: 'rcpt' } })
    await prometheus.firing('MixedConfiguration')
    relay.hosts[1]!.writeSettings(SETTINGS)
    await prometheus.quiet('MixedConfiguration')
  })

  it('shows how long charges took in the last whole minute', async () => {
    const tenant = await relay.tenant('northwind')
    const asked = 'max without (instance, job) (unregistered_domain_charge_duration_seconds)'
    const isThere = async () => {
      await tenant.send({ from: 'x@other.example', to: 'a@far.example' })
      return (await prometheus.query(asked)).length > 0
    }
    await waitFor(isThere, { what: asked, timeout: 200_000, interval: 1000 })
  })

  it('can answer every question of the rules and the dashboard', async () => {
    const exposed = new Set((await exporters[0]!.text()).match(/^unregistered_domain_\w+/gm))
    const asked = expressions()
    for (const expr of asked) await prometheus.query(expr)
    const names = new Set(asked.join(' ').match(/unregistered_domain_\w+/g))
    const unknown = [...names].filter((name) => !exposed.has(name) && !NOT_YET.includes(name))
    assert.deepEqual(unknown, [])
  })

  it('has an answer for each panel', async () => {
    for (const { title, targets } of dashboardPanels()) {
      const { expr } = targets[0]!
      if (NOT_YET.some((name) => expr.includes(name))) continue
      const asked = expr.replaceAll('$__rate_interval', '1m')
      await waitFor(async () => (await prometheus.query(asked)).length > 0, { what: title })
    }
  })

  it('exposes what promtool finds no fault with', async () => {
    assert.equal(await promtool(['check', 'metrics'], await exporters[0]!.text()), '')
  })

  it('shows a host that hangs, until it goes on', async () => {
    process.kill(-relay.hosts[1]!.pid, 'SIGSTOP')
    await prometheus.firing('HostMissing')
    process.kill(-relay.hosts[1]!.pid, 'SIGCONT')
    await prometheus.quiet('HostMissing')
  })

  it('goes on with one exporter', async () => {
    await exporters[1]!.stop()
    await waitFor(async () => (await prometheus.query('count(up == 0) == 1')).length > 0)
    const names = (await prometheus.alerts()).map(({ labels }) => labels['alertname'])
    assert.ok(!names.includes('MetricsMissing'), names.join())
    assert.ok(names.includes('TenantRestricted'), names.join())
  })

  it('shows that Redis is away, and goes on showing who is restricted', async () => {
    await relay.redis.kill()
    await prometheus.firing('RedisDown')
    await prometheus.firing('TenantRestricted', { tenant: 'contoso' })
  })

  it('shows that Redis came back without the registry', async () => {
    await relay.redis.restart()
    await prometheus.firing('RegistryLost')
    await prometheus.quiet('RedisDown')
  })

  it('shows that nothing is scraped any more', async () => {
    await exporters[0]!.stop()
    await prometheus.firing('MetricsMissing')
  })
})

/** Series that are there only while there is something to count. */
const NOT_YET = ['unregistered_domain_undecided_total', 'unregistered_domain_held_messages']
