import type { Redis } from 'ioredis'
import { within } from '../base/deadline'
import type { Store } from '../store/store'

/** How long a node of a Cluster may take to answer, in ms. */
const PATIENCE = 500

/**
 * How many processes follow the changes of the registry, also those of a version that says nothing of itself. A node that
 * does not answer counts none.
 */
export async function countFollowers({ client, keys }: Store): Promise<number> {
  // Each process follows them at one node of a Cluster, which counts its own followers only.
  const nodes = 'nodes' in client ? client.nodes('all') : [client]
  const counts = await Promise.all(nodes.map((node) => followersAt(node, keys.changes)))
  return counts.reduce((sum, count) => sum + count, 0)
}

async function followersAt(node: Redis, channel: string): Promise<number> {
  const reply = within(PATIENCE, node.pubsub('NUMSUB', channel))
  return Number((await reply.catch(() => []))[1] ?? 0)
}
