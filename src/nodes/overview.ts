import { grouped } from '../base/lists'
import type { Store } from '../store/store'
import { compareNodes, type ComparedNode } from './compare'
import { countFollowers } from './followers'
import type { NodeConfig } from './node'
import { readConfigs, readNodes } from './read-nodes'

/** All processes at one moment. */
export interface Overview {
  /** ms since the epoch, server time. */
  readonly now: number
  /** By host and number of the worker. */
  readonly nodes: readonly ComparedNode[]
  /** Further processes that follow changes and say nothing of themselves: of a version that cannot, or with an old ACL. */
  readonly older: number
  /** By their digests. */
  readonly configs: ReadonlyMap<string, NodeConfig>
}

/** @throws where Redis gave no answer. */
export async function readOverview(store: Store): Promise<Overview> {
  const [nodes, configs, followers] = await Promise.all([
    readNodes(store),
    readConfigs(store),
    countFollowers(store),
  ])
  const following = nodes.nodes.filter(({ draining }) => !draining)
  const older = Math.max(0, followers - following.length)
  return { now: nodes.now, nodes: compareNodes(nodes, configs), older, configs }
}

/** A host of which every process is missing. */
export interface MissingHost {
  readonly host: string
  readonly processes: number
  /** When the last of them was seen, in ms since the epoch, server time. */
  readonly since: number
}

export function missingHosts({ nodes }: Pick<Overview, 'nodes'>): MissingHost[] {
  return grouped(nodes, ({ node }) => node.host)
    .filter(([, all]) => all.every(({ state }) => state === 'missing'))
    .map(([host, all]) => ({
      ...{ host, processes: all.length },
      since: Math.max(...all.map(({ node }) => node.seen)),
    }))
}

/** The number of different configurations that processes have in effect. */
export function configurations({ nodes }: Pick<Overview, 'nodes'>): number {
  return new Set(answering(nodes).map(({ node }) => node.config.digest)).size
}

/** Those that do not end and are not missing. */
export function answering(nodes: readonly ComparedNode[]): ComparedNode[] {
  return nodes.filter(({ state }) => state === 'live' || state === 'late')
}
