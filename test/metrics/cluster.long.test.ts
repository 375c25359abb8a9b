import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { defaultsOf } from '../../src/allowance/defaults'
import { EventStream } from '../../src/events/stream'
import { Exporter } from '../../src/metrics/exporter'
import { loadConfig } from '../../src/process/config-file'
import { Batch } from '../../src/reporting/batch'
import { Room } from '../../src/reporting/room'
import { Totals } from '../../src/reporting/totals'
import { useClusterSite } from '../support/cluster'
import { beat } from '../support/nodes'
import { valuesOf } from '../support/prometheus-text'
import { ACCEPTED } from '../support/reporting'

describe('metrics on a Redis Cluster', () => {
  const site = useClusterSite()

  it('are read of all its nodes', async () => {
    const { store, registry, restrictions } = site()
    for (const id of ['contoso', 'fabrikam', 'tailspin']) await registry.tenants.add(id, {}, 'test')
    await restrictions.place('fabrikam', { scope: 'all', by: 'ann', reason: 'abuse' })
    const totals = new Totals(store)
    for (let at = 0; at < 2; at++) {
      const batch = new Batch(new Room())
      batch.addTotal('registered', 'contoso/mx', ACCEPTED)
      totals.addBatch(batch)
      await totals.flush()
    }
    const lift = { by: 'ann', reason: '', case: 'contoso:1', resolves: 'evt_1' }
    await new EventStream(store).publish('contoso', {
      ...{ id: 'evt_2', kind: 'lifted', at: Date.now(), ...lift },
    })
    await beat(store, { id: 'mx1/a' })
    const { config } = loadConfig(undefined)
    const text = await new Exporter({
      ...{ store, settings: config.metrics, defaults: defaultsOf(config), version: '0' },
      ...{ commandTimeout: 5000, patience: 10_000, onTrouble: assert.fail },
    }).text()
    assert.deepEqual(valuesOf(text, 'redis_up'), { '': 1 })
    assert.equal(valuesOf(text, 'recipients_total')['registered accepted'], 2)
    assert.deepEqual(valuesOf(text, 'lifts_total'), { '': 1 })
    assert.equal(valuesOf(text, 'tenants')['registered'], 3)
    assert.deepEqual(valuesOf(text, 'tenant_restricted'), { 'fabrikam all': 1 })
    assert.equal(valuesOf(text, 'processes')['worker'], 1)
    assert.ok(valuesOf(text, 'redis_memory_used_bytes')['']! > 100_000)
  })
})
