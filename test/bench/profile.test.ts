import assert from 'node:assert/strict'
import { it } from 'node:test'
import { timeByPart } from '../../bench/profile'

const SITE = 'file:///srv/relay/node_modules'

/** Children of each node by id, its file, and its own time in µs. */
const TREE: readonly (readonly [
  id: number,
  children: readonly number[],
  url: string,
  us: number,
])[] = [
  [1, [2, 3, 4, 12], '', 0],
  [2, [], '(idle)', 500],
  [3, [], '(garbage collector)', 7],
  [4, [5], 'node:internal/stream_base_commons', 1],
  [5, [6, 7], `${SITE}/Haraka/connection.js`, 10],
  [6, [], 'node:net', 20],
  [7, [8, 10, 11], `${SITE}/haraka-plugin-unregistered-domain/dist/plugins/hooks.js`, 100],
  [8, [9], `${SITE}/ioredis/built/Redis.js`, 1_000],
  [9, [], 'node:net', 2_000],
  [10, [], `${SITE}/haraka-results/index.js`, 10_000],
  // The rest of Haraka runs inside our next().
  [11, [], `${SITE}/Haraka/plugins.js`, 30],
  [12, [], `${SITE}/haraka-plugin-limit/index.js`, 5],
]

/** The ids of the nodes in the order of their samples: garbage is collected while our function runs. */
const SAMPLED = [2, 4, 5, 6, 7, 3, 8, 9, 10, 11, 12]

it('a CPU profile gives each part its own time, what Node.js does for it and its garbage, without idle time', () => {
  const nodes = TREE.map(([id, children, url]) => {
    const internal = url.startsWith('(')
    const callFrame = { functionName: internal ? url : 'f', url: internal ? '' : url }
    return { id, children, callFrame }
  })
  const spent = new Map(TREE.map(([id, , , us]) => [id, us]))
  const times = timeByPart({
    nodes,
    samples: SAMPLED,
    timeDeltas: SAMPLED.map((id) => spent.get(id)!),
  })
  assert.deepEqual(Object.fromEntries(times), {
    'event loop': 1,
    Haraka: 60,
    'this plugin': 107,
    'Redis client': 3_000,
    'results store': 10_000,
    'haraka-plugin-limit': 5,
  })
})
