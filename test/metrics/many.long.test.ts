import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { chargeFor, DEFAULTS } from '../../bench/charge'
import { seedTenants } from '../../bench/seed'
import { defaultsOf } from '../../src/allowance/defaults'
import { Ledger } from '../../src/allowance/ledger'
import { Restrictions } from '../../src/allowance/restriction'
import { Exporter } from '../../src/metrics/exporter'
import { loadConfig } from '../../src/process/config-file'
import { waitFor } from '../../scripts/services/wait-for'
import { beat } from '../support/nodes'
import { parseText, valuesOf } from '../support/prometheus-text'
import { newSite, useRedis } from '../support/registry'

useRedis()

const TENANTS = 100_000
const RESTRICTED = 20
const MOST_SERIES = 500
const BATCH = 1000

describe('the metrics of 100,000 tenants with usage', () => {
  it('are at most 500 series by default, and name the fullest tenants', async () => {
    const { store } = newSite()
    const { client, keys } = store
    const ledger = new Ledger(store, 60_000)
    const limits = '300/1h, 1500/1d'
    const { idAt, domainsToken } = await seedTenants(store, TENANTS, { limits, ledger })
    const ids = Array.from({ length: TENANTS }, (_, at) => idAt(at))
    for (let from = 0; from < TENANTS; from += BATCH) {
      const some = ids.slice(from, from + BATCH)
      await client.zadd(keys.reported, ...some.flatMap((id) => [Date.now(), id]))
    }
    // More than any default shows, on two meters.
    const full = ids.slice(-100)
    for (const [at, id] of full.entries()) {
      for (const meter of ['unregistered', 'null'] as const) {
        for (let recipient = 0; recipient < 3 + (at % 5); recipient++) {
          const charge = {
            ...chargeFor(id, domainsToken),
            meter,
            transaction: `F${recipient}.${meter}`,
          }
          await ledger.charge(charge, DEFAULTS)
        }
      }
    }
    const restrictions = new Restrictions(store)
    for (const id of ids.slice(0, RESTRICTED)) {
      await restrictions.place(id, { scope: 'unregistered', by: 'ann', reason: 'abuse' })
    }
    for (let at = 0; at < 24; at++) await beat(store, { id: `mx${at % 6}/${at}` })

    const { config } = loadConfig(undefined)
    const exporter = new Exporter({
      ...{ store, settings: config.metrics, defaults: defaultsOf(config), version: '0' },
      ...{ commandTimeout: 60_000, cached: 0, onTrouble: assert.fail },
    })
    const found = await waitFor(
      async () => {
        const text = await exporter.text()
        const named = new Set(parseText(text).flatMap(({ labels }) => labels['tenant'] ?? []))
        return valuesOf(text, 'tenants_not_shown')['']! + named.size === TENANTS && text
      },
      { timeout: 300_000 },
    )

    const series = parseText(found)
    assert.ok(series.length <= MOST_SERIES, `${series.length} series`)
    assert.equal(Object.keys(valuesOf(found, 'tenant_restricted')).length, RESTRICTED)
    const used = Object.keys(valuesOf(found, 'tenant_used_recipients'))
    const named = [...new Set(used.map((key) => key.split(' ')[0]!))]
    assert.deepEqual(named.slice(0, RESTRICTED).toSorted(), ids.slice(0, RESTRICTED))
    for (const id of named.slice(RESTRICTED)) assert.ok(full.includes(id), id)
  })
})
