import type { Duty } from '../base/duty'
import type { Store } from '../store/store'
import { toNode } from './read-nodes'

/** Forgets configurations that no process has in effect any more. A process that returns to one writes it again. */
export function forgetUnusedConfigs({ client, keys }: Store): Duty {
  return {
    name: 'configurations of processes',
    every: 3_600_000,
    run: async () => {
      const digests = await client.hkeys(keys.nodesConfigs)
      const nodes = Object.entries(await client.hgetall(keys.nodes))
      const used = new Set(
        nodes.flatMap(([id, text]) => {
          const config = toNode(id, text)?.config
          return config ? [config.digest, config.ofHost] : []
        }),
      )
      const unused = digests.filter((digest) => !used.has(digest))
      if (unused.length > 0) await client.hdel(keys.nodesConfigs, ...unused)
    },
  }
}
