import { createHash } from 'node:crypto'
import type { Socket } from 'node:net'
import type { Cluster, Redis } from 'ioredis'
import { changedNothing, errorCode } from './failure'
import { within } from '../base/deadline'
import type { Keys } from './keys'
import { assemble, type Script } from './script'

export type Client = Redis | Cluster

/** Where ioredis keeps what holds the process: the socket, and between two of them the timer. `null` or absent: none. */
interface HasHolds {
  readonly stream?: Socket | null
  readonly reconnectTimeout?: NodeJS.Timeout | null
}

/** A script as Redis knows it. */
interface Assembled {
  readonly source: string
  readonly sha: string
  /** It has been sent as a whole, so Redis knows it most likely. */
  sent: boolean
}

/** A Redis connection together with the names of our keys, and the way to run our scripts on it. */
export class Store {
  /** Who changes something over this connection, for the audit trail: see `records/actor.ts`. Empty: not said. */
  actor = ''
  private readonly scripts = new Map<Script, Assembled>()
  /** How long the client waits for an answer, in ms. */
  private readonly commandTimeout: number | undefined

  /** @param replacements other sources for some scripts or their shared pieces (see {@link assemble}). */
  constructor(
    readonly client: Client,
    readonly keys: Keys,
    private readonly replacements: Readonly<Record<string, string>> = {},
  ) {
    const options = 'nodes' in client ? client.options.redisOptions : client.options
    this.commandTimeout = options?.commandTimeout
  }

  /**
   * Runs a script atomically: EVAL the first time, then EVALSHA, and EVAL again where Redis has lost it or is another.
   * Not by ioredis's `defineCommand`: it costs the caller of a charge a third more CPU. Both together take no longer than
   * the client's command timeout.
   *
   * @throws what ioredis throws: not connected, timed out, or the script's own error.
   */
  run(
    script: Script,
    keys: readonly string[],
    args: readonly (string | number | Buffer)[],
  ): Promise<unknown> {
    const assembled = this.assembled(script)
    this.sendTogether()
    if (!assembled.sent) {
      assembled.sent = true
      return this.client.eval(assembled.source, keys.length, ...keys, ...args)
    }
    const begun = performance.now()
    return this.client
      .evalsha(assembled.sha, keys.length, ...keys, ...args)
      .catch((error: unknown) => {
        // It has not run, so it may be sent again.
        if (errorCode(error) !== 'NOSCRIPT') throw error
        const answer = this.client.eval(assembled.source, keys.length, ...keys, ...args)
        if (this.commandTimeout === undefined) return answer
        return within(begun + this.commandTimeout - performance.now(), answer)
      })
  }

  /**
   * The same for a script that replies octets which are no text: every text of the reply is a Buffer. It is sent as a
   * whole each time, so this is for what does not run often.
   */
  runForOctets(
    script: Script,
    keys: readonly string[],
    args: readonly (string | number)[],
  ): Promise<unknown> {
    return this.client.callBuffer(
      'eval',
      this.assembled(script).source,
      keys.length,
      ...keys,
      ...args,
    )
  }

  /**
   * Whether a call that failed so has certainly changed nothing: one of a script that reads each key before it writes. A
   * Cluster client may have sent it before, and does not tell.
   */
  changedNothing(error: unknown): boolean {
    return !('nodes' in this.client) && changedNothing(error)
  }

  /**
   * Lets all that is asked in one turn of the event loop leave in one write: to wake Redis for each session alone costs
   * more CPU than all else about a call. A Cluster has a connection for each node, and its calls leave one by one.
   */
  private sendTogether(): void {
    const { stream } = this.client as unknown as HasHolds
    if (!stream || stream.writableCorked > 0) return
    stream.cork()
    setImmediate(() => stream.uncork())
  }

  /** Lets the process end though the connection is open, or is being made; what is asked is still answered. */
  unref(): void {
    const { client } = this
    letGo(client)
    if (!('nodes' in client)) return
    for (const node of client.nodes()) letGo(node)
    client.on('+node', letGo)
  }

  private assembled(script: Script): Assembled {
    let assembled = this.scripts.get(script)
    if (!assembled) {
      const source = assemble(script, this.replacements)
      assembled = { source, sha: createHash('sha1').update(source).digest('hex'), sent: false }
      this.scripts.set(script, assembled)
    }
    return assembled
  }
}

/** Keeps a connection, and all that come in its place, from holding the process. */
function letGo(connection: Client): void {
  const unref = (): void => {
    const { stream, reconnectTimeout } = connection as unknown as HasHolds
    stream?.unref()
    reconnectTimeout?.unref()
  }
  unref()
  connection.on('connect', unref)
  connection.on('reconnecting', unref)
}
