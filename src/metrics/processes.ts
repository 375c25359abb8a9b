import { pauseInEffect, readPause } from '../enforcement/pause'
import { grouped } from '../base/lists'
import { compareNodes, type ComparedNode } from '../nodes/compare'
import type { Role } from '../nodes/node'
import { configurations, missingHosts } from '../nodes/overview'
import { readNodes } from '../nodes/read-nodes'
import type { Store } from '../store/store'
import type { Part } from './part'
import { single, type Sample, type Samples } from './text'

const ROLES: readonly Role[] = ['worker', 'single', 'console']

/** What processes say of themselves, and the pause that is in effect in them. */
export class Processes implements Part {
  constructor(private readonly store: Store) {}

  async read(): Promise<Samples> {
    const [found, pause] = await Promise.all([readNodes(this.store), readPause(this.store)])
    const nodes = compareNodes(found, new Map())
    const reporting = nodes.filter(({ state }) => state !== 'missing')
    const hosts = missingHosts({ nodes })
    const ofMissingHosts = hosts.reduce((sum, { processes }) => sum + processes, 0)
    const isLost = reporting.some(({ node }) => node.registry.state === 'lost')
    return {
      registry_lost: single(Number(isLost)),
      enforcement_paused: single(Number(pauseInEffect(pause) !== undefined)),
      processes: ROLES.map((role) => ({
        labels: { role },
        value: reporting.filter(({ node }) => node.role === role).length,
      })),
      hosts_missing: single(hosts.length),
      processes_missing: single(nodes.length - reporting.length - ofMissingHosts),
      processes_behind: single(nodes.filter(({ behind }) => behind > 0).length),
      configurations: single(configurations({ nodes })),
      charge_duration_seconds: quantiles(reporting),
      held_messages: heldByHost(reporting),
    }
  }
}

/** Of hosts that hold some. */
function heldByHost(nodes: readonly ComparedNode[]): Sample[] {
  return grouped(nodes, ({ node }) => node.host).flatMap(([host, all]) => {
    const value = all.reduce((sum, { node }) => sum + node.counters.held, 0)
    return value > 0 ? [{ labels: { host }, value }] : []
  })
}

/** Of the slowest process. */
function quantiles(nodes: readonly ComparedNode[]): Sample[] {
  const charges = nodes.map(({ node }) => node.charge).filter((charge) => charge !== null)
  if (charges.length === 0) return []
  const slowest = (of: 'p50' | 'p99'): number => Math.max(...charges.map((each) => each[of])) / 1000
  return [
    { labels: { quantile: '0.5' }, value: slowest('p50') },
    { labels: { quantile: '0.99' }, value: slowest('p99') },
  ]
}
