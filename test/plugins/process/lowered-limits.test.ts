import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import type { Plugin } from '../../../plugins/kit/haraka'
import { LoweredLimits } from '../../../plugins/process/lowered-limits'
import { waitFor } from '../../../scripts/services/wait-for'
import { scratchDir } from '../../../scripts/services/scratch'
import { defaultsOf } from '../../../src/allowance/defaults'
import { Ledger } from '../../../src/allowance/ledger'
import { parseConfig, type Config } from '../../../src/process/config'
import { Keys } from '../../../src/store/keys'
import { Store } from '../../../src/store/store'
import { startRedis, type TestRedis } from '../../support/redis'
import { Registries } from '../../support/registries'

let redis: TestRedis
before(async () => {
  redis = await startRedis()
})
after(() => redis.stop())

const directory = scratchDir('lowered')

function limits(text: string): Config {
  return parseConfig({ allowance: { limits: text } }, directory).config
}

it('a reload that lowers the default limits says how many tenants are past them', async () => {
  const client = redis.client()
  await client.ping()
  const store = new Store(client, new Keys('ud:'))
  const ledger = new Ledger(store, 2000)
  const { tenants } = new Registries(store)
  await tenants.add('contoso', {}, 'ann')
  await tenants.add('fabrikam', {}, 'ann')
  await tenants.add('own', { limits: '4/1h' }, 'ann')
  const before = limits('9/1h')
  for (const tenant of ['contoso', 'own']) {
    for (let ordinal = 0; ordinal < 3; ordinal++) {
      await ledger.charge(
        {
          ...{ tenant, meter: 'unregistered', transaction: tenant, ordinal, domainsToken: '' },
          ...{ domain: 'lure.example', connector: '', ip: '' },
        },
        defaultsOf(before),
      )
    }
  }

  const lines: [string, unknown][] = []
  const plugin = {
    lognotice: (line: string, facts: unknown) => lines.push([line, facts]),
    logwarn: (line: string) => assert.fail(line),
  } as unknown as Plugin
  const lowered = new LoweredLimits(plugin, { store, ledger })
  // Raised, the same, and in a window of another length: nobody is past that.
  lowered.changed(before, limits('10/1h'))
  lowered.changed(before, limits('9/1h'))
  lowered.changed(before, limits('9/1h, 1/1d'))
  lowered.changed(before, limits('3/1h'))
  await waitFor(() => lines.length > 0)
  lowered.changed(before, limits('4/1h'))
  await waitFor(() => lines.length > 1)
  assert.deepEqual(
    lines.map(([line, facts]) => [line.slice(0, 36), facts]),
    [
      ['lowered limits: tenants past them no', { tenants: 1 }],
      ['lowered limits: no tenant is past th', { tenants: 0 }],
    ],
  )
})
