import { IN_FLIGHT, ROOMY } from './ledger-load'
import { skipped, type Section } from './row'
import { compareSizes, type Size } from './scale'
import { chargeFor, seedAddresses, seedTenants } from './seed'

/** What Redis needs for an active tenant, with room to spare. */
const BYTES_A_TENANT = 3_000
/** Tenants whose mail comes in, each from an address of its own. */
const MOST_SENDING = 100

/** Whether anything gets slower with the number of tenants. */
export const tenants: Section = {
  name: 'tenants',
  title: 'By number of tenants',
  meaning:
    'A Redis each with so many active tenants (two windows) and a Haraka on it, side by side. Each charge goes to a ' +
    `tenant chosen at random among all; the mail comes from up to ${MOST_SENDING} of them, in 20 sessions. Batches go in ` +
    'turn, and each is compared with the batch at one tenant beside it: the figure is the median of these ratios. The ' +
    `time a charge is the inverse of their rate, with ${IN_FLIGHT} in flight.`,
  async run({ tenants: counts, scale }, progress) {
    const enough = counts.filter((count) => count * BYTES_A_TENANT < process.availableMemory())
    const plot = { name: 'tenants', title: 'Cost by number of tenants' }
    const measured = await compareSizes(enough.map(sizeOf), scale, plot, progress)
    const missing = counts
      .filter((count) => !enough.includes(count))
      .map((count) => skipped(labelOf(count), 'there is not enough free memory for its Redis'))
    return { ...measured, rows: [...measured.rows, ...missing] }
  },
}

function labelOf(count: number): string {
  return `${count.toLocaleString('en-US')} tenant${count === 1 ? '' : 's'}`
}

function sizeOf(count: number): Size {
  return {
    label: labelOf(count),
    fill: async (store, ledger, port) => {
      const { domainsToken, idAt } = await seedTenants(store, port, count, {
        limits: ROOMY,
        ledger,
      })
      const ips = await seedAddresses(store, Math.min(count, MOST_SENDING), idAt)
      return {
        charge: (transaction) => {
          const tenant = idAt(Math.floor(Math.random() * count))
          return chargeFor(tenant, domainsToken, transaction)
        },
        ips,
      }
    },
  }
}
