import { connect as connectTcp, type Socket } from 'node:net'
import { connect as connectTls, type ConnectionOptions } from 'node:tls'
import { AbstractConnector, Cluster, Redis, type RedisOptions } from 'ioredis'
import type { Endpoint } from './settings'
import { TimeOuts } from './time-outs'
import { Turn } from './turn'

/** Between two attempts while a slot is being moved or its primary is down, in ms. */
const RETRY_DELAY = 50
/** A slot that is being moved answers a command by MOVED, ASK and TRYAGAIN in turn. */
const REDIRECTIONS_AN_ATTEMPT = 3
const LEAST_REDIRECTIONS = 16
/** How long closing a connection may take, in ms; ioredis's own value. */
const DISCONNECT_TIMEOUT = 2000
/** A connection without an answer for this many command timeouts is closed: a firewall may drop its packets. */
const DEAD_AFTER = 10

/**
 * A client of one Redis, or of the primary that Sentinel names. In place of ioredis it keeps the time of its commands,
 * joins what they write, and finds a dead connection: ioredis sets timers and listeners for each of them.
 */
export class SingleClient extends Redis {
  private readonly timeOuts: TimeOuts
  private readonly turn = new Turn(() => this.stream)
  private watched: Socket | undefined

  /** @param commandTimeout in ms, in place of the options' own. */
  constructor(
    options: RedisOptions,
    private readonly commandTimeout: number,
  ) {
    super(options as never)
    this.timeOuts = new TimeOuts(commandTimeout, () => this.watchSilence())
  }

  override sendCommand(...[command, stream]: Parameters<Redis['sendCommand']>): unknown {
    this.timeOuts.begin(command)
    if (stream === undefined && this.status === 'ready') {
      return super.sendCommand(command, this.turn as never)
    }
    // It writes to the socket itself, and answers come in the order of the commands.
    this.turn.send()
    return super.sendCommand(command, stream)
  }

  override disconnect(reconnect?: boolean): void {
    this.turn.send()
    super.disconnect(reconnect)
  }

  /** After a command has timed out: closes the connection if nothing arrives any more. */
  private watchSilence(): void {
    const { stream } = this
    if (this.watched === stream) return
    this.watched = stream
    const { bytesRead } = stream
    const ms = (DEAD_AFTER - 1) * this.commandTimeout
    const look = (): void => {
      if (this.watched !== stream) return
      this.watched = undefined
      if (stream.bytesRead === bytesRead) {
        stream.destroy(new Error(`Socket timeout: nothing received in ${ms} ms`))
      } else if (this.commandQueue.length > 0) this.watchSilence()
    }
    setTimeout(look, ms).unref()
  }
}

/**
 * A client of a Redis Cluster that answers within its command timeout, whatever the cluster does.
 *
 * Until that time is over it follows redirections, and repeats commands after TRYAGAIN, CLUSTERDOWN and lost connections.
 * So a script may run twice when its node fails: the result of each of our scripts is the same then.
 */
export class ClusterClient extends Cluster {
  private readonly timeOuts: TimeOuts

  /**
   * @param nodes some nodes of the cluster; they name the others.
   * @param options of the connections.
   * @param commandTimeout in ms, in place of the options' own.
   * @param retryDelay ms before the attempt of that number to find a node.
   */
  constructor(
    nodes: readonly Endpoint[],
    options: RedisOptions,
    commandTimeout: number,
    retryDelay: (attempt: number) => number,
  ) {
    super(
      nodes.map(({ host, port }) => ({ host, port })),
      {
        redisOptions: { ...options, commandTimeout, socketTimeout: DEAD_AFTER * commandTimeout },
        enableOfflineQueue: false,
        clusterRetryStrategy: retryDelay,
        // Names stay names: certificates are for names.
        dnsLookup: (name: string, found: (error: null, address: string) => void) =>
          found(null, name),
        // Nodes that disagree about the owner of a slot redirect to each other.
        retryDelayOnMoved: RETRY_DELAY,
        retryDelayOnTryAgain: RETRY_DELAY,
        retryDelayOnClusterDown: RETRY_DELAY,
        retryDelayOnFailover: RETRY_DELAY,
        // Time is the limit, not their number.
        maxRedirections:
          LEAST_REDIRECTIONS + Math.ceil((REDIRECTIONS_AN_ATTEMPT * commandTimeout) / RETRY_DELAY),
      } as never,
    )
    this.timeOuts = new TimeOuts(commandTimeout)
  }

  /**
   * ioredis starts the time of a command when a node gets it: while it connects to that node, a command would wait for
   * the list of slots first, without a limit.
   */
  override sendCommand(...[command, ...rest]: Parameters<Cluster['sendCommand']>): unknown {
    this.timeOuts.begin(command)
    command.setTimeout = () => {}
    return super.sendCommand(command, ...rest)
  }
}

/**
 * A connection to one node of a cluster, for a subscription: every node forwards what is published. When the connection
 * is lost, or its node leaves the cluster, it connects to the next node and emits `ready` again; ioredis's own subscriber
 * changes nodes silently, and messages published meanwhile would be missed.
 *
 * @param cluster knows the current nodes.
 * @param nodes to try while it knows none.
 */
export function connectToAnyNode(
  cluster: Cluster,
  nodes: readonly Endpoint[],
  options: RedisOptions,
  commandTimeout: number,
): Redis {
  let turn = Math.floor(Math.random() * nodes.length)
  let current: Endpoint | undefined
  const next = (): Endpoint => {
    const known = cluster.nodes().map(endpointOf)
    const candidates = known.length > 0 ? known : nodes
    return (current = candidates[turn++ % candidates.length]!)
  }
  const own = { ...options, Connector: connectorTo(next, options.tls) }
  const subscriber = new SingleClient(own, commandTimeout)
  const leave = (node: Redis): void => {
    const { host, port } = endpointOf(node)
    if (subscriber.status === 'ready' && current?.host === host && current.port === port) {
      subscriber.disconnect(true)
    }
  }
  cluster.on('-node', leave)
  subscriber.once('end', () => cluster.off('-node', leave))
  return subscriber
}

function endpointOf({ options: { host = '', port = 0 } }: Redis): Endpoint {
  return { host, port }
}

/** Makes ioredis ask for the address each time that it connects. */
function connectorTo(next: () => Endpoint, tls: ConnectionOptions | undefined) {
  return class extends AbstractConnector {
    constructor() {
      super(DISCONNECT_TIMEOUT)
    }

    connect(): Promise<Socket> {
      this.connecting = true
      const { host, port } = next()
      const stream = tls ? connectTls({ host, port, ...tls }) : connectTcp({ host, port })
      stream.once('error', (error: Error) => (this.firstError = error))
      this.stream = stream
      return Promise.resolve(stream)
    }
  }
}
