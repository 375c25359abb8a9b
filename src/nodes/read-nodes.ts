import { serverTime } from '../store/server-clock'
import type { Store } from '../store/store'
import { LATE, type Node, type NodeConfig, type NodeFacts } from './node'

/** All processes at one moment. */
export interface Nodes {
  /** ms since the epoch, server time. */
  readonly now: number
  /** By host and number of the worker. */
  readonly nodes: readonly Node[]
}

/**
 * The processes that have said something of themselves, those that are missing too.
 *
 * @throws where Redis gave no answer.
 */
export async function readNodes({ client, keys }: Store): Promise<Nodes> {
  const [now, facts, seen] = await Promise.all([
    serverTime(client),
    client.hgetall(keys.nodes),
    client.zrangebyscore(keys.nodesSeen, '-inf', '+inf', 'WITHSCORES'),
  ])
  const seenAt = new Map<string, number>()
  for (let at = 0; at < seen.length; at += 2) seenAt.set(seen[at]!, Number(seen[at + 1]))
  const nodes = Object.entries(facts)
    .map(([id, text]): Node | undefined => {
      const node = toNode(id, text)
      return node && { ...node, seen: seenAt.get(id) ?? 0 }
    })
    .filter((node) => node !== undefined)
    // One that said that it would end has ended.
    .filter((node) => !node.draining || node.seen > now - LATE)
    .sort(
      (a, b) =>
        a.host.localeCompare(b.host) ||
        a.worker - b.worker ||
        a.started - b.started ||
        a.id.localeCompare(b.id),
    )
  return { now, nodes }
}

/**
 * The configurations of processes, by their digests.
 *
 * @throws where Redis gave no answer.
 */
export async function readConfigs({ client, keys }: Store): Promise<Map<string, NodeConfig>> {
  const texts = Object.entries(await client.hgetall(keys.nodesConfigs))
  return new Map(texts.map(([digest, text]) => [digest, JSON.parse(text) as NodeConfig]))
}

/** Reads what a process says; `undefined`: it cannot be read. */
export function toNode(id: string, text: string): NodeFacts | undefined {
  try {
    return { ...(JSON.parse(text) as NodeFacts), id }
  } catch {
    return undefined
  }
}
