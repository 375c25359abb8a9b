/** What we read of a V8 CPU profile (Chrome DevTools Protocol, Profiler.Profile). */
export interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number
    readonly callFrame: { readonly functionName: string; readonly url: string }
    readonly children?: readonly number[]
  }[]
  readonly samples: readonly number[]
  /** µs since the sample before. */
  readonly timeDeltas: readonly number[]
}

/** Whose code runs. `runtime`: Node.js and V8 on nobody's behalf, such as the event loop and the collector. */
export type Part = 'plugin' | 'ioredis' | 'results' | 'limit' | 'haraka' | 'runtime'

const IDLE = '(idle)'

/** The first that matches a file's path. */
const PARTS: readonly (readonly [RegExp, Part])[] = [
  [/\/dist\/(?:plugins|src)\//, 'plugin'],
  [/\/node_modules\/(?:ioredis|redis|@redis)\//, 'ioredis'],
  [/\/node_modules\/haraka-results\//, 'results'],
  [/\/node_modules\/haraka-plugin-limit\//, 'limit'],
  [/^(?!node:)./, 'haraka'],
]

/**
 * CPU time of each part in µs. What Node.js does inside of a call belongs to whoever called it: a write to Redis to
 * ioredis, a write to the client to Haraka.
 */
export function timeByPart({ nodes, samples, timeDeltas }: CpuProfile): Map<Part, number> {
  const owners = ownersOf(nodes)
  const idle = new Set(
    nodes.filter(({ callFrame }) => callFrame.functionName === IDLE).map(({ id }) => id),
  )
  const times = new Map<Part, number>()
  samples.forEach((id, at) => {
    if (idle.has(id)) return
    const part = owners.get(id) ?? 'runtime'
    times.set(part, (times.get(part) ?? 0) + (timeDeltas[at] ?? 0))
  })
  return times
}

/** For each node of the call tree the part that it, or its nearest caller that belongs to one, is of. */
function ownersOf(nodes: CpuProfile['nodes']): Map<number, Part> {
  const byId = new Map(nodes.map((node) => [node.id, node]))
  const owners = new Map<number, Part>()
  const root = nodes[0]
  const open: { id: number; inherited: Part }[] = root
    ? [{ id: root.id, inherited: 'runtime' }]
    : []
  for (let next = open.pop(); next; next = open.pop()) {
    const node = byId.get(next.id)
    if (!node) continue
    const { url } = node.callFrame
    const part = PARTS.find(([pattern]) => pattern.test(url))?.[1] ?? next.inherited
    owners.set(node.id, part)
    for (const id of node.children ?? []) open.push({ id, inherited: part })
  }
  return owners
}
