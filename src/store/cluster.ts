import { connect as connectTcp, type Socket } from 'node:net'
import { connect as connectTls, type ConnectionOptions } from 'node:tls'
import { AbstractConnector, Cluster, Redis, type RedisOptions } from 'ioredis'
import type { Endpoint } from './settings'
import { giveAnswersTheirTurn } from './patience'

/** Between two attempts while the answer is "not now": a slot is on the move, or its primary is gone. In ms. */
const RETRY_DELAY = 50
/** A slot on the move answers a command by MOVED, ASK and TRYAGAIN in turn. */
const REDIRECTIONS_AN_ATTEMPT = 3
const LEAST_REDIRECTIONS = 16
/** How long a connection that is being closed may take for it, in ms; as ioredis has it. */
const DISCONNECT_TIMEOUT = 2000

/**
 * A client of a Redis Cluster that answers within its command timeout, whatever the cluster does.
 *
 * Redirections are followed, and TRYAGAIN, CLUSTERDOWN and lost connections tried again, until that time is over. So a
 * script may run twice where its node goes away: each of ours gives the same end when it does.
 */
export class PunctualCluster extends Cluster {
  private readonly commandTimeout: number

  /**
   * @param nodes some of the cluster; the others are learned from them.
   * @param options of the connections; `commandTimeout` in ms.
   * @param retryDelay ms before the attempt of this number to find a node at all.
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
        // Names stay names: by their addresses no certificate would fit.
        dnsLookup: (name: string, found: (error: null, address: string) => void) =>
          found(null, name),
        // Nodes that do not agree yet on who has a slot send us to and fro.
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
   * ioredis starts the time of a command when a node gets it: one whose node is just being connected to would first
   * wait until the slots have been asked for.
   */
  override sendCommand(...[command, ...rest]: Parameters<Cluster['sendCommand']>): unknown {
    giveAnswersTheirTurn(command)
    command.setTimeout(this.commandTimeout)
    return super.sendCommand(command, ...rest)
  }
}

/**
 * A connection to any one node of a cluster, for a subscription: what is published on one node is heard on all. When
 * it is lost, or its node leaves the cluster, it goes to the next one, and says `ready` again: ioredis's own
 * subscriber changes nodes silently, and what was published meanwhile would be missed.
 *
 * @param cluster knows the nodes that are there now.
 * @param nodes what to try as long as it knows none.
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

/** Makes ioredis ask where to go each time that it connects. */
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
