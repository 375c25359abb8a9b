import { Cluster, type Redis } from 'ioredis'
import type { Client } from './store'

/** Between two attempts to find a lost node of a Cluster, in ms. */
const RETRY_AFTER = 500

/**
 * Calls `listener` whenever Redis may hold older data than before: a connection is ready again (or for the first time),
 * or other nodes of a Cluster have become the primaries.
 */
export function onReconnect(client: Client, listener: () => void): void {
  client.on('ready', listener)
  if (client instanceof Cluster) watchPrimaries(client, listener)
}

/** A Cluster client emits `ready` only where it had lost all nodes. */
function watchPrimaries(cluster: Cluster, listener: () => void): void {
  const lost = new Set<string>()
  let primaries: string | undefined
  let timer: NodeJS.Timeout | undefined

  // ioredis would look for it only when a command needs it.
  const retry = (): void => {
    timer ??= setTimeout(() => {
      timer = undefined
      if (cluster.status === 'ready') cluster.refreshSlotsCache((error) => error && retry())
    }, RETRY_AFTER).unref()
  }
  cluster.on('-node', (node: Redis) => {
    lost.add(addressOf(node))
    retry()
  })
  cluster.on('+node', (node: Redis) => {
    const isBack = lost.delete(addressOf(node))
    if (!isBack || node.options.readOnly) return
    node.once('ready', listener)
    // Where it is still away, `-node` follows.
    node.connect().catch(() => {})
  })
  // A replica that takes over keeps its connection.
  cluster.on('refresh', () => {
    const before = primaries
    primaries = cluster.nodes('master').map(addressOf).sort().join()
    if (before !== undefined && before !== primaries) listener()
  })
}

function addressOf({ options: { host, port } }: Redis): string {
  return `${host}:${port}`
}
