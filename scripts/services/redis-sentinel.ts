import { Redis } from 'ioredis'
import { startRedis, type TestRedis } from './redis'
import { waitFor } from './wait-for'

/** Options of startRedisSentinel(). */
export interface StartRedisSentinelOptions {
  /** More lines of redis.conf, for primary and replicas alike: `min-replicas-to-write 1`. */
  config?: readonly string[]
}

/** The name by which the sentinels know the primary. */
const NAME = 'mail'
const REPLICAS = 2
const SENTINELS = 3
const QUORUM = 2

/** A failover takes seconds, and longer on a busy machine. */
const PATIENCE = 60_000

/**
 * Starts a primary with two replicas and three sentinels that watch over them, all on free loopback ports, and waits
 * until they know each other. The servers write an append-only file, so a restarted one still has what it
 * acknowledged.
 *
 * @throws Error when one of them does not start, or they do not find each other
 */
export async function startRedisSentinel({
  config = [],
}: StartRedisSentinelOptions = {}): Promise<TestRedisSentinel> {
  const started: TestRedis[] = []
  const start = async (lines: readonly string[], args: string[]) => {
    const server = await startRedis({ config: lines, args })
    started.push(server)
    return server
  }
  try {
    const durable = ['--appendonly', 'yes']
    const common = [...config, 'repl-diskless-sync-delay 0']
    const primary = await start(common, durable)
    const follow = [...common, `replicaof 127.0.0.1 ${primary.port}`]
    const replicas = await several(REPLICAS, () => start(follow, durable))
    // A sentinel asks for replicas at once and then every 10 s, so they come first.
    await synchronised(primary, REPLICAS)
    const watch = [
      `sentinel monitor ${NAME} 127.0.0.1 ${primary.port} ${QUORUM}`,
      `sentinel down-after-milliseconds ${NAME} 1000`,
      `sentinel failover-timeout ${NAME} 5000`,
      `sentinel parallel-syncs ${NAME} 1`,
    ]
    const sentinels = await several(SENTINELS, () => start(watch, ['--sentinel']))
    const all = new TestRedisSentinel([primary, ...replicas], sentinels)
    await all.inSync()
    return all
  } catch (error) {
    await Promise.all(started.map((server) => server.stop()))
    throw error
  }
}

/** A running primary with its replicas and its sentinels. */
export class TestRedisSentinel {
  readonly #clients = new Set<Redis>()

  constructor(
    /** All Redis servers; the first began as the primary. */
    readonly nodes: readonly TestRedis[],
    readonly sentinels: readonly TestRedis[],
  ) {}

  /** The [redis] section of unregistered-domain.ini. */
  get settings(): { sentinels: string[]; sentinel_name: string } {
    return {
      sentinels: this.sentinels.map(({ port }) => `127.0.0.1:${port}`),
      sentinel_name: NAME,
    }
  }

  /**
   * A client of the primary, found through the sentinels; closed by stop(). Commands during a failover wait for its
   * end, and may then be executed twice.
   */
  client(): Redis {
    const client = new Redis({
      sentinels: this.sentinels.map(({ port }) => ({ host: '127.0.0.1', port })),
      name: NAME,
      retryStrategy: () => 50,
      sentinelRetryStrategy: () => 50,
      maxRetriesPerRequest: null,
      reconnectOnError: ({ message }) => message.startsWith('READONLY') && 2,
      // A paused primary leaves the connection open.
      socketTimeout: 1000,
      disconnectTimeout: 50,
    })
    client.on('error', () => {})
    this.#clients.add(client)
    return client
  }

  /** The present primary: the one that all sentinels name. */
  primary(): Promise<TestRedis> {
    return this.#primary(() => true)
  }

  /** The other nodes, running or not. */
  async replicas(): Promise<TestRedis[]> {
    const primary = await this.primary()
    return this.nodes.filter((node) => node !== primary)
  }

  /** Waits until all sentinels name another primary than `former`, and returns it. */
  failedOver(former: TestRedis): Promise<TestRedis> {
    return this.#primary((node) => node !== former)
  }

  /** Waits until a node follows another one. */
  async demoted(node: TestRedis): Promise<void> {
    await patiently(`${node.port} is a replica`, async () => (await roleOf(node)) === 'slave')
  }

  /**
   * Waits until this many replicas are in sync, and each sentinel knows them and the other sentinels, so that a
   * failover can begin.
   */
  async inSync(replicas = REPLICAS): Promise<void> {
    await synchronised(await this.primary(), replicas)
    await patiently('the sentinels know all', async () => {
      const views = await Promise.all(this.sentinels.map(viewOf))
      return views.every(
        (view) =>
          view.get('flags') === 'master' &&
          Number(view.get('num-slaves')) >= replicas &&
          Number(view.get('num-other-sentinels')) === SENTINELS - 1,
      )
    })
  }

  /**
   * Waits until no failover is going on, and all other nodes follow the primary.
   *
   * @returns the primary.
   */
  settled(): Promise<TestRedis> {
    return patiently('all nodes follow one primary', async () => {
      const primary = await this.primary()
      const views = await Promise.all(this.sentinels.map(viewOf))
      const others = this.nodes.filter((node) => node !== primary)
      const roles = await Promise.all(others.map((node) => ask(node, (client) => client.role())))
      const isQuiet = views.every((view) => view.get('flags') === 'master')
      const follow = roles.every((role) => role[2] === primary.port && role[3] === 'connected')
      return isQuiet && follow && primary
    })
  }

  /** Ends all servers, also paused ones. */
  async stop(): Promise<void> {
    for (const client of this.#clients) client.disconnect()
    await Promise.all([...this.sentinels, ...this.nodes].map((server) => server.stop()))
  }

  #primary(fits: (node: TestRedis) => boolean): Promise<TestRedis> {
    return patiently('all sentinels name the primary', async () => {
      const views = await Promise.all(this.sentinels.map(viewOf))
      const ports = new Set(views.map((view) => Number(view.get('port'))))
      const node = this.nodes.find(({ port }) => ports.size === 1 && ports.has(port))
      return node && fits(node) && (await roleOf(node)) === 'master' && node
    })
  }
}

/** Waits until this many replicas have all present writes of a primary, which may go on writing. */
async function synchronised(primary: TestRedis, replicas: number): Promise<void> {
  const replication = () => ask(primary, (client) => client.info('replication'))
  const now = Number(/^master_repl_offset:(\d+)/m.exec(await replication())?.[1])
  await patiently(`${primary.port} has ${replicas} replicas in sync`, async () => {
    const online = (await replication()).matchAll(/^slave\d+:.*state=online,offset=(\d+)/gm)
    return [...online].filter(([, at]) => Number(at) >= now).length === replicas
  })
}

async function roleOf(node: TestRedis): Promise<string> {
  return String((await ask(node, (client) => client.role()))[0])
}

/** A sentinel's view of the primary. */
async function viewOf(sentinel: TestRedis): Promise<ReadonlyMap<string, string>> {
  const reply = await ask(sentinel, (client) => client.call('SENTINEL', 'MASTER', NAME))
  const view = new Map<string, string>()
  const list = reply as string[]
  for (let at = 0; at + 1 < list.length; at += 2) view.set(list[at]!, list[at + 1]!)
  return view
}

/** One command over a new connection, since the servers stop and start. */
async function ask<T>(server: TestRedis, question: (client: Redis) => Promise<T>): Promise<T> {
  const client = new Redis({ port: server.port, retryStrategy: null, commandTimeout: 2000 })
  client.on('error', () => {})
  try {
    return await question(client)
  } finally {
    client.disconnect()
  }
}

function patiently<T>(what: string, condition: () => Promise<T>) {
  return waitFor(condition, { timeout: PATIENCE, interval: 20, what })
}

function several<T>(count: number, start: () => Promise<T>): Promise<T[]> {
  return Promise.all(Array.from({ length: count }, start))
}
