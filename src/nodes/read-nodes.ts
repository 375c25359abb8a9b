import { serverTime } from '../store/server-clock'
import type { Store } from '../store/store'
import type { Node, NodeFacts } from './node'

/** All processes at one moment. */
export interface Nodes {
  /** ms since the epoch, server time. */
  readonly now: number
  /** By host, then in the order in which they were started. */
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
    .map(([id, text]) => toNode(id, text, seenAt.get(id) ?? 0))
    .filter((node) => node !== undefined)
    .sort((a, b) => a.host.localeCompare(b.host) || a.started - b.started || a.worker - b.worker)
  return { now, nodes }
}

/** `undefined`: what it says cannot be read. */
function toNode(id: string, text: string, seen: number): Node | undefined {
  try {
    return { ...(JSON.parse(text) as NodeFacts), id, seen }
  } catch {
    return undefined
  }
}
