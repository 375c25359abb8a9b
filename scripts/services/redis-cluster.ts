import type { Redis } from 'ioredis'
import { freePort } from './port'
import { startRedis, type TestRedis } from './redis'
import { waitFor } from './wait-for'

/** Options of startRedisCluster(). */
export interface StartRedisClusterOptions {
  /** Replicas of each of the three primaries; default 0. */
  replicas?: 0 | 1
  /**
   * `cluster-node-timeout` in ms: how long a node may be silent before the others fail over. Default: 15 s, which
   * suffices on a busy machine.
   */
  nodeTimeout?: number
  /** More arguments for every redis-server. */
  args?: string[]
}

const PRIMARIES = 3
const SLOTS = 16_384
const ATTEMPTS = 5
/** Without this the start of every replica would be delayed. */
const SERVER = ['--cluster-announce-ip', '127.0.0.1', '--repl-diskless-sync-delay', '0']
const PATIENCE = { timeout: 30_000, interval: 20 }
/** Redis gives a coordinated failover up after 5 s: the others may not vote so soon after another election. In ms. */
const ELECTION = 7000

/**
 * Starts a Redis Cluster of three primaries with a third of the slots each, without persistence, and waits until
 * every node reports it as complete. It ends with stop(), and always with this process.
 *
 * @throws Error where a server does not start, or the cluster does not come together within 30 s
 */
export async function startRedisCluster({
  replicas = 0,
  nodeTimeout = 15_000,
  args = [],
}: StartRedisClusterOptions = {}): Promise<TestCluster> {
  const count = PRIMARIES * (1 + replicas)
  const starting = Array.from({ length: count }, () =>
    startNode(['--cluster-node-timeout', String(nodeTimeout), ...args]),
  )
  const started = await Promise.allSettled(starting)
  const nodes = started.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []))
  const cluster = new TestCluster(nodes)
  try {
    await Promise.all(starting)
    await join(nodes)
    await cluster.whenInOrder()
    return cluster
  } catch (error) {
    await cluster.stop()
    throw error
  }
}

/** A running Redis Cluster. */
export class TestCluster {
  constructor(
    /** The initial primaries, then their replicas in the same order. */
    readonly nodes: readonly ClusterNode[],
  ) {}

  /** The nodes' ports; for `cluster[]` of unregistered-domain.ini see {@link addresses}. */
  get endpoints(): { host: string; port: number }[] {
    return this.nodes.map(({ port }) => ({ host: '127.0.0.1', port }))
  }

  /** `HOST:PORT` of each node. */
  get addresses(): string[] {
    return this.endpoints.map(({ host, port }) => `${host}:${port}`)
  }

  /**
   * Waits until every running node sees all slots served, and all agree on the primaries and epochs: a primary that
   * does not know the highest epoch takes a slot with its own, and loses it to an old claim.
   */
  async whenInOrder(): Promise<void> {
    await waitFor(
      async () => {
        const views = await Promise.all(this.#running().map((node) => viewOf(node)))
        return views.every(({ ok, owners }) => ok && owners === views[0]?.owners)
      },
      { ...PATIENCE, what: 'all nodes see a complete cluster' },
    )
  }

  /** The primaries that serve slots, as the first running node knows them. */
  async primaries(): Promise<ClusterNode[]> {
    const lines = await this.#table()
    return lines
      .filter(({ flags, slots }) => flags.includes('master') && slots.length > 0)
      .filter(({ flags }) => !flags.includes('fail'))
      .map(({ id }) => this.node(id))
  }

  /** The node with this id. */
  node(id: string): ClusterNode {
    const found = this.nodes.find((node) => node.id === id)
    if (!found) throw new Error(`no node of this cluster has the id ${id}`)
    return found
  }

  slotOf(key: string): Promise<number> {
    return this.#running()[0]!.call('CLUSTER', 'KEYSLOT', key) as Promise<number>
  }

  /** The primary that serves the slot of a key. */
  async primaryOf(key: string): Promise<ClusterNode> {
    const slot = await this.slotOf(key)
    for (const { id, slots } of await this.#table()) {
      if (slots.some(([from, to]) => from <= slot && slot <= to)) return this.node(id)
    }
    throw new Error(`no node serves slot ${slot}`)
  }

  /** The replica of a primary; a new one may not be known at once. */
  async replicaOf(primary: ClusterNode): Promise<ClusterNode> {
    const find = async () => (await this.#table()).find((line) => line.primary === primary.id)
    const what = `a replica of ${primary.port}`
    return this.node((await waitFor(find, { ...PATIENCE, what })).id)
  }

  /** Waits until a replica has all present writes of its primary. */
  async inSync(primary: ClusterNode, replica: ClusterNode): Promise<void> {
    const offset = await primary.replicationOffset()
    await waitFor(async () => (await replica.replicationOffset()) >= offset, {
      ...PATIENCE,
      what: `${replica.port} has all that ${primary.port} has`,
    })
  }

  /**
   * Cuts a replica off from later writes of its primary. `replica.redis.resume()` lets it go on; the primary should
   * be dead by then.
   */
  async cutOff(replica: ClusterNode, primary: ClusterNode): Promise<void> {
    // Paused first, or it would connect again.
    replica.redis.pause()
    await primary.call('CLIENT', 'KILL', 'TYPE', 'replica')
  }

  /** Prepares to move the slot of a key to another primary; nothing moves before its `begin()`. */
  async migration(key: string, to?: ClusterNode): Promise<SlotMigration> {
    const from = await this.primaryOf(key)
    const primaries = await this.primaries()
    const target = to ?? primaries[(primaries.indexOf(from) + 1) % primaries.length]!
    const agreed = (): Promise<void> => this.whenInOrder()
    return new SlotMigration(await this.slotOf(key), from, target, primaries, agreed)
  }

  /** Gives a primary a slot without keys. */
  async assign(slot: number, to: ClusterNode): Promise<void> {
    // The claim with the highest epoch wins, also at the replicas.
    await to.call('CLUSTER', 'BUMPEPOCH')
    for (const node of await this.primaries()) {
      await node.call('CLUSTER', 'SETSLOT', slot, 'NODE', to.id)
    }
  }

  /**
   * A coordinated failover (`CLUSTER FAILOVER`): the primary holds its clients until the replica has everything.
   *
   * @returns the new primary, which every node knows as such.
   */
  async failOver(primary: ClusterNode): Promise<ClusterNode> {
    const replica = await this.replicaOf(primary)
    for (let attempt = 1; ; attempt++) {
      await replica.call('CLUSTER', 'FAILOVER')
      try {
        await this.whenPromoted(replica, ELECTION)
        return replica
      } catch (error) {
        if (attempt === ATTEMPTS) throw error
      }
    }
  }

  /** Waits until every running node knows a former replica as a primary. */
  async whenPromoted(replica: ClusterNode, timeout = PATIENCE.timeout): Promise<void> {
    const known = async (node: ClusterNode) => {
      const line = parseNodes(await node.nodes()).find(({ id }) => id === replica.id)
      return line?.flags.includes('master') && line.slots.length > 0
    }
    await waitFor(async () => (await Promise.all(this.#running().map(known))).every(Boolean), {
      ...PATIENCE,
      timeout,
      what: `all nodes know ${replica.port} as a primary`,
    })
  }

  /** Closes all clients and ends every server. */
  async stop(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.redis.stop()))
  }

  async #table(): Promise<NodeLine[]> {
    return parseNodes(await this.#running()[0]!.nodes())
  }

  #running(): ClusterNode[] {
    return this.nodes.filter(({ killed }) => !killed)
  }
}

/** One node of a cluster. */
export class ClusterNode {
  /** Whether {@link kill} has ended it. */
  killed = false
  readonly #client: Redis

  constructor(
    readonly redis: TestRedis,
    /** Its name in the cluster. */
    readonly id: string,
    /** The port by which the nodes speak to each other. */
    readonly busPort: number,
  ) {
    this.#client = redis.client()
  }

  get port(): number {
    return this.redis.port
  }

  /** Sends a command to this node, for any slot. */
  call(command: string, ...args: (string | number)[]): Promise<unknown> {
    return this.#client.call(command, ...args.map(String))
  }

  /** The reply to CLUSTER NODES. */
  async nodes(): Promise<string> {
    return String(await this.call('CLUSTER', 'NODES'))
  }

  /** Its replication offset. */
  async replicationOffset(): Promise<number> {
    const info = String(await this.call('INFO', 'replication'))
    return Number(/^(?:slave|master)_repl_offset:(\d+)/m.exec(info)?.[1])
  }

  /** SIGKILL. */
  async kill(): Promise<void> {
    this.killed = true
    await this.redis.kill()
  }

  /** Starts it again; it rejoins its cluster as a replica of the node that took its slots. */
  async restart(): Promise<void> {
    await this.redis.restart()
    this.killed = false
  }
}

/** Moves one slot from one primary to another, step by step, as `redis-cli --cluster reshard` does. */
export class SlotMigration {
  constructor(
    readonly slot: number,
    readonly from: ClusterNode,
    readonly to: ClusterNode,
    private readonly primaries: readonly ClusterNode[],
    private readonly agreed: () => Promise<void>,
  ) {}

  /**
   * From now on missing keys are redirected to the other primary: ASK, or TRYAGAIN where only some of several keys
   * are missing.
   */
  async begin(): Promise<void> {
    await this.to.call('CLUSTER', 'SETSLOT', this.slot, 'IMPORTING', this.from.id)
    await this.from.call('CLUSTER', 'SETSLOT', this.slot, 'MIGRATING', this.to.id)
  }

  /** Moves some keys, the first ones that Redis returns. @returns the moved keys. */
  async moveKeys(most: number): Promise<string[]> {
    const keys = await this.remaining(most)
    if (keys.length === 0) return keys
    const to = ['127.0.0.1', this.to.port, '', 0, 5000]
    await this.from.call('MIGRATE', ...to, 'KEYS', ...keys)
    return keys
  }

  /** Keys that have not been moved yet, at most this many. */
  async remaining(most = 1000): Promise<string[]> {
    return (await this.from.call('CLUSTER', 'GETKEYSINSLOT', this.slot, most)) as string[]
  }

  /** Moves the rest, announces the slot's new primary to every primary, and waits until all have it. */
  async finish(): Promise<void> {
    while ((await this.moveKeys(100)).length > 0);
    const others = this.primaries.filter((node) => node !== this.to && node !== this.from)
    // The new owner first, so that the slot is never without one.
    for (const node of [this.to, this.from, ...others]) {
      await node.call('CLUSTER', 'SETSLOT', this.slot, 'NODE', this.to.id)
    }
    // Older gossip may arrive after it, and be accepted for a moment.
    await this.agreed()
  }
}

/** Starts a server that is a cluster by itself. */
async function startNode(args: readonly string[]): Promise<ClusterNode> {
  for (let attempt = 1; ; attempt++) {
    const busPort = await freePort()
    const cluster = ['--cluster-enabled', 'yes', '--cluster-port', String(busPort)]
    try {
      const redis = await startRedis({
        args: [...cluster, ...SERVER, ...args],
      })
      const id = String(await redis.client().call('CLUSTER', 'MYID'))
      return new ClusterNode(redis, id, busPort)
    } catch (error) {
      // Another process took the bus port first.
      if (attempt === ATTEMPTS || !/Failed listening/.test((error as Error).message)) throw error
    }
  }
}

/** Makes one cluster of them: the first three become primaries, the others their replicas. */
async function join(nodes: readonly ClusterNode[]): Promise<void> {
  for (const [at, node] of nodes.entries()) {
    // Otherwise all claim the same epoch, and the cluster has to resolve that.
    await node.call('CLUSTER', 'SET-CONFIG-EPOCH', at + 1)
  }
  for (const [at, node] of nodes.entries()) {
    if (at < PRIMARIES) {
      const [from, to] = [at, at + 1].map((third) => Math.floor((third * SLOTS) / PRIMARIES))
      await node.call('CLUSTER', 'ADDSLOTSRANGE', from!, to! - 1)
    }
    // Every pair meets directly: gossip takes seconds to spread.
    for (const other of nodes.slice(at + 1)) {
      await node.call('CLUSTER', 'MEET', '127.0.0.1', other.port, other.busPort)
    }
  }
  const allMet = async (node: ClusterNode) => {
    const lines = parseNodes(await node.nodes())
    // Two nodes that learn of each other while they meet leave a second, nameless handshake without an answer.
    return lines.filter(({ flags }) => !flags.includes('handshake')).length === nodes.length
  }
  await waitFor(async () => (await Promise.all(nodes.map(allMet))).every(Boolean), {
    ...PATIENCE,
    what: 'all nodes have met',
  })
  await Promise.all(nodes.slice(PRIMARIES).map((node, at) => follow(node, nodes[at]!)))
}

async function follow(replica: ClusterNode, primary: ClusterNode): Promise<void> {
  await replica.call('CLUSTER', 'REPLICATE', primary.id)
  await waitFor(
    async () => /master_link_status:up/.test(String(await replica.call('INFO', 'replication'))),
    { ...PATIENCE, what: `${replica.port} follows ${primary.port}` },
  )
}

interface NodeLine {
  readonly id: string
  readonly flags: readonly string[]
  /** The id of its primary; `-` where it is one. */
  readonly primary: string
  /** The higher epoch wins a slot claimed by two nodes. */
  readonly epoch: string
  readonly slots: readonly (readonly [from: number, to: number])[]
}

/** Reads the reply to CLUSTER NODES (https://redis.io/docs/latest/commands/cluster-nodes/). */
function parseNodes(text: string): NodeLine[] {
  return text
    .trim()
    .split('\n')
    .map((line) => {
      const [id = '', , flags = '', primary = '', , , epoch = '', , ...slots] = line.split(' ')
      return {
        id,
        flags: flags.split(','),
        primary,
        epoch,
        // In brackets: a slot that is being moved.
        slots: slots
          .filter((range) => !range.startsWith('['))
          .map((range) => {
            const [from, to = from] = range.split('-').map(Number)
            return [from!, to!] as const
          }),
      }
    })
}

async function viewOf(node: ClusterNode): Promise<{ ok: boolean; owners: string }> {
  const state = String(await node.call('CLUSTER', 'INFO'))
  const owners = parseNodes(await node.nodes())
    .filter(({ slots }) => slots.length > 0)
    .map(({ id, epoch, slots }) => `${id} ${epoch} ${slots.join(' ')}`)
  return { ok: state.includes('cluster_state:ok'), owners: owners.sort().join('\n') }
}
