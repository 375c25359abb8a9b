import { ROOMY } from './ledger-load'
import type { Section } from './row'
import { compareSizes, type Size } from './scale'
import { chargeFor, seedAddresses, seedConnectors, seedDomains } from './seed'

const TENANT = 'contoso'

/** Whether anything gets slower with a tenant's accepted domains, or with the number of connectors. */
export const domains: Section = {
  name: 'domains',
  title: 'By number of accepted domains and connectors',
  meaning:
    'One tenant with so many accepted domains, or a relay with so many connectors: a Redis each and a Haraka on it, ' +
    'side by side. The mail is unregistered, so each message is looked up in the list in vain and charged. Measured ' +
    'and compared as by number of tenants.',
  run({ domains: counts, connectors, scale }, progress) {
    const sizes: Size[] = [
      ...counts.map((count) => sizeOf(`${number(count)} domain${count === 1 ? '' : 's'}`, count)),
      sizeOf(`${number(connectors)} connectors`, 1, connectors),
    ]
    const plot = { name: 'domains', title: 'Cost by number of accepted domains and connectors' }
    return compareSizes(sizes, scale, plot, progress)
  },
}

function number(count: number): string {
  return count.toLocaleString('en-US')
}

function sizeOf(label: string, count: number, connectors = 0): Size {
  return {
    label,
    fill: async (store) => {
      await seedDomains(store, TENANT, count, { limits: ROOMY })
      await seedConnectors(store, TENANT, connectors)
      const ips = await seedAddresses(store, 1, () => TENANT)
      const domainsToken = (await store.client.hget(store.keys.tenant(TENANT), 'domains')) ?? ''
      return {
        charge: (transaction) => chargeFor(TENANT, domainsToken, transaction),
        ips,
      }
    },
  }
}
