import { MISSING, type Node, type Role } from '../nodes/node'
import { readNodes } from '../nodes/read-nodes'
import { grouped } from '../base/lists'
import type { Store } from '../store/store'
import type { Part } from './part'
import { single, type Sample, type Samples } from './text'

const ROLES: readonly Role[] = ['worker', 'single', 'console']

/** What processes say of themselves. */
export class Processes implements Part {
  constructor(private readonly store: Store) {}

  async read(): Promise<Samples> {
    const { now, nodes } = await readNodes(this.store)
    const isLive = ({ seen }: Node): boolean => now - seen < MISSING
    const live = nodes.filter(isLive)
    const hosts = grouped(nodes, ({ host }) => host)
    const gone = hosts.filter(([, all]) => !all.some(isLive))
    const left = hosts.filter(([, all]) => all.some(isLive)).flatMap(([, all]) => all)
    const lost = live.some(({ registry }) => registry.state === 'lost')
    return {
      registry_lost: single(Number(lost)),
      processes: ROLES.map((role) => ({
        labels: { role },
        value: live.filter((each) => each.role === role).length,
      })),
      hosts_missing: single(gone.length),
      processes_missing: single(left.filter((each) => !isLive(each)).length),
      configurations: single(new Set(live.map(({ config }) => config.digest)).size),
      charge_duration_seconds: quantiles(live),
    }
  }
}

/** Of the slowest process. */
function quantiles(live: readonly Node[]): Sample[] {
  const charges = live.map(({ charge }) => charge).filter((charge) => charge !== null)
  if (charges.length === 0) return []
  const slowest = (of: 'p50' | 'p99'): number => Math.max(...charges.map((each) => each[of])) / 1000
  return [
    { labels: { quantile: '0.5' }, value: slowest('p50') },
    { labels: { quantile: '0.99' }, value: slowest('p99') },
  ]
}
