import { grouped } from '../base/lists'
import { LATE, MISSING, type Node, type NodeConfig } from './node'
import type { Nodes } from './read-nodes'

/** A clock that is off by more than this is told, in ms. */
const MOST_OFF = 5000
/** A process that lacks a change that another one heard of this long before is behind, in ms. */
const BEHIND = 10_000

/** `late`: it should have said something again; `missing`: for so long that it is hardly there. */
export type NodeState = 'live' | 'draining' | 'late' | 'missing'

/** How a process differs from most. */
export interface Difference {
  readonly what: 'version' | 'haraka' | 'node' | 'config' | 'redis' | 'epoch' | 'pause'
  /** Of the ini file, where that differs; empty: it is not known which. */
  readonly section: string
  readonly key: string
  readonly is: string
  /** What most have. */
  readonly others: string
}

/** A process, and what is noteworthy about it. */
export interface ComparedNode {
  readonly node: Node
  readonly state: NodeState
  readonly differs: readonly Difference[]
  /** It lacks a change that others have heard of, in ms since that was made; 0: it lacks none. */
  readonly behind: number
  /** Its clock minus that of Redis, in ms; 0: about the same. */
  readonly clockOff: number
}

/**
 * Compares what processes say of themselves. What most of those have that answer now is what counts: where as many have
 * one value as another, that of more hosts, or else of the first.
 *
 * @param configs by their digests.
 */
export function compareNodes(
  { now, nodes }: Nodes,
  configs: ReadonlyMap<string, NodeConfig>,
): ComparedNode[] {
  const there = nodes.filter((node) => ['live', 'late'].includes(stateOf(node, now)))
  const comparisons = [...simpleComparisons(), ...configComparisons(there, configs)].map(
    ({ valueOf, ...about }) => ({ ...about, valueOf, usual: mostUsual(there, valueOf) }),
  )
  const heard = there.map((node) => node.heard).sort((a, b) => a - b)
  return nodes.map((node) => {
    const state = stateOf(node, now)
    const isThere = there.includes(node)
    const differs = comparisons
      .map(({ valueOf, usual, ...about }) => ({ ...about, is: valueOf(node), others: usual }))
      .filter(({ is, others }) => isThere && is !== others)
    const behind = isThere ? behindOf(node, heard) : 0
    return { node, state, differs, behind, clockOff: isThere ? clockOffOf(node) : 0 }
  })
}

function stateOf({ draining, seen }: Node, now: number): NodeState {
  if (draining) return 'draining'
  if (seen > now - LATE) return 'live'
  return seen > now - MISSING ? 'late' : 'missing'
}

/** Something in which all processes should be alike. */
interface Comparison extends Pick<Difference, 'what' | 'section' | 'key'> {
  readonly valueOf: (node: Node) => string
}

function simpleComparisons(): Comparison[] {
  const simple = (what: Difference['what'], valueOf: Comparison['valueOf']): Comparison => ({
    ...{ what, section: '', key: '' },
    valueOf,
  })
  return [
    simple('version', ({ versions }) => versions.plugin),
    simple('haraka', ({ versions }) => versions.haraka),
    simple('node', ({ versions }) => versions.node),
    simple('redis', ({ redis }) => redis),
    simple('epoch', ({ registry }) => registry.epoch),
    simple('pause', ({ pause }) => (pause.paused ? 'paused' : 'not paused')),
  ]
}

/** One for each key that any of the configurations has; a key that it does not have, has its default. */
function configComparisons(
  nodes: readonly Node[],
  configs: ReadonlyMap<string, NodeConfig>,
): Comparison[] {
  const digests = new Set(nodes.map(({ config }) => config.digest))
  if (digests.size < 2) return []
  const keys = new Map<string, Comparison>()
  for (const digest of digests) {
    const config = configs.get(digest)
    if (!config) return [unknownConfig()]
    for (const [section, values] of Object.entries(config)) {
      for (const key of Object.keys(values)) {
        const valueOf = (node: Node): string =>
          configs.get(node.config.digest)?.[section]?.[key] ?? DEFAULT
        keys.set(`${section} ${key}`, { what: 'config', section, key, valueOf })
      }
    }
  }
  return [...keys.values()]
}

/** A configuration is not there yet. */
function unknownConfig(): Comparison {
  return { what: 'config', section: '', key: '', valueOf: ({ config }) => config.digest }
}

/** Of a key that has its default. */
export const DEFAULT = '(default)'

function mostUsual(nodes: readonly Node[], valueOf: (node: Node) => string): string {
  const hostsOf = (of: readonly Node[]): number => new Set(of.map(({ host }) => host)).size
  const [usual] = grouped(nodes, valueOf).sort(
    ([, a], [, b]) => b.length - a.length || hostsOf(b) - hostsOf(a),
  )
  return usual?.[0] ?? ''
}

/** @param heard the latest change that each process has heard of, ascending. */
function behindOf({ applied, seen }: Node, heard: readonly number[]): number {
  // One that has just been started has not read everything yet.
  if (applied === 0) return 0
  const missed = heard.findLast((mark) => mark > applied && mark / 1000 < seen - BEHIND)
  return missed === undefined ? 0 : seen - Math.floor(missed / 1000)
}

function clockOffOf({ clock, seen }: Node): number {
  return Math.abs(clock - seen) > MOST_OFF ? clock - seen : 0
}
