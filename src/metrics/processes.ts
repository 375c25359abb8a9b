import { compareNodes, type ComparedNode } from '../nodes/compare'
import type { Node, Role } from '../nodes/node'
import { missingHosts } from '../nodes/overview'
import { readNodes } from '../nodes/read-nodes'
import type { Store } from '../store/store'
import type { Part } from './part'
import { single, type Sample, type Samples } from './text'

const ROLES: readonly Role[] = ['worker', 'single', 'console']

/** What processes say of themselves. */
export class Processes implements Part {
  constructor(private readonly store: Store) {}

  async read(): Promise<Samples> {
    const nodes = compareNodes(await readNodes(this.store), new Map())
    const isMissing = ({ state }: ComparedNode): boolean => state === 'missing'
    const live = nodes.filter((each) => !isMissing(each)).map(({ node }) => node)
    const gone = missingHosts({ nodes })
    const isGone = new Set(gone.map(({ host }) => host))
    const left = nodes.filter(({ node }) => !isGone.has(node.host))
    const lost = live.some(({ registry }) => registry.state === 'lost')
    return {
      registry_lost: single(Number(lost)),
      processes: ROLES.map((role) => ({
        labels: { role },
        value: live.filter((each) => each.role === role).length,
      })),
      hosts_missing: single(gone.length),
      processes_missing: single(left.filter(isMissing).length),
      processes_behind: single(nodes.filter(({ behind }) => behind > 0).length),
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
