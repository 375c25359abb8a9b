import { connect as connectTcp, type Socket } from 'node:net'
import { connect as connectTls, type ConnectionOptions } from 'node:tls'
import { AbstractConnector, Cluster, Redis, type Command, type RedisOptions } from 'ioredis'
import type { Endpoint } from './settings'

/** ioredis's message for a command whose time is over (Command.js, setTimeout); the error has no code. */
const TIMED_OUT = 'Command timed out'
/** Between two attempts while a slot is being moved or its primary is down, in ms. */
const RETRY_DELAY = 50
/** A slot that is being moved answers a command by MOVED, ASK and TRYAGAIN in turn. */
const REDIRECTIONS_AN_ATTEMPT = 3
const LEAST_REDIRECTIONS = 16
/** How long closing a connection may take, in ms; ioredis's own value. */
const DISCONNECT_TIMEOUT = 2000

/**
 * Lets a command whose time is over still have an answer that has arrived. Node's event loop runs its timers before it
 * reads its sockets, so after a long turn (another plugin reads a large message) ioredis would discard the answers that
 * arrived meanwhile, and report that a quick Redis is slow.
 */
function preferAnswer(command: Command): void {
  const { reject } = command
  command.reject = (error) => {
    if (error.message !== TIMED_OUT) return reject(error)
    setImmediate(() => {
      if (!command.isSettled) reject(error)
    })
  }
}

/** A client of one Redis, or of the primary that Sentinel names. */
export class SingleClient extends Redis {
  override sendCommand(...[command, ...rest]: Parameters<Redis['sendCommand']>): unknown {
    preferAnswer(command)
    return super.sendCommand(command, ...rest)
  }
}

/**
 * A client of a Redis Cluster that answers within its command timeout, whatever the cluster does.
 *
 * Until that time is over it follows redirections, and repeats commands after TRYAGAIN, CLUSTERDOWN and lost connections.
 * So a script may run twice when its node fails: the result of each of our scripts is the same then.
 */
export class ClusterClient extends Cluster {
  private readonly commandTimeout: number

  /**
   * @param nodes some nodes of the cluster; they name the others.
   * @param options of the connections; `commandTimeout` in ms.
   * @param retryDelay ms before the attempt of that number to find a node.
   */
  constructor(
    nodes: readonly Endpoint[],
    options: RedisOptions & { commandTimeout: number },
    retryDelay: (attempt: number) => number,
  ) {
    super(
      nodes.map(({ host, port }) => ({ host, port })),
      {
        redisOptions: options,
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
          LEAST_REDIRECTIONS +
          Math.ceil((REDIRECTIONS_AN_ATTEMPT * options.commandTimeout) / RETRY_DELAY),
      } as never,
    )
    this.commandTimeout = options.commandTimeout
  }

  /**
   * ioredis starts the time of a command when a node gets it: while it connects to that node, a command would wait for
   * the list of slots first, without a limit.
   */
  override sendCommand(...[command, ...rest]: Parameters<Cluster['sendCommand']>): unknown {
    preferAnswer(command)
    command.setTimeout(this.commandTimeout)
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
): Redis {
  let turn = Math.floor(Math.random() * nodes.length)
  let current: Endpoint | undefined
  const next = (): Endpoint => {
    const known = cluster.nodes().map(endpointOf)
    const candidates = known.length > 0 ? known : nodes
    return (current = candidates[turn++ % candidates.length]!)
  }
  const subscriber = new Redis({ ...options, Connector: connectorTo(next, options.tls) } as never)
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
