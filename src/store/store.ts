import { createHash } from 'node:crypto'
import type { Socket } from 'node:net'
import type { Cluster, Redis } from 'ioredis'
import { changedNothing, errorCode } from './failure'
import { within } from '../base/deadline'
import type { Keys } from './keys'
import { assemble, type Script } from './script'

export type Client = Redis | Cluster

/**
 * What keeps the process alive: the socket, and the timer of the next attempt. ioredis has no method to let go of them,
 * and declares the timer private; a Cluster has no socket of its own.
 */
interface HoldsProcess {
  readonly stream?: Socket | null
  readonly reconnectTimeout?: NodeJS.Timeout | null
}

/** A script as Redis knows it. */
interface Assembled {
  readonly source: string
  readonly sha: string
  /** The source has been sent, so Redis most likely knows the script. */
  sent: boolean
}

/** A Redis connection, the names of our keys, and how our scripts run. */
export class Store {
  /** Who uses this connection, for the audit trail: see `records/actor.ts`; empty: not named. */
  actor = ''
  private readonly scripts = new Map<Script, Assembled>()
  /** How long the client waits for an answer, in ms. */
  private readonly commandTimeout: number | undefined

  /** @param replacements other sources for some scripts or includes (see {@link assemble}). */
  constructor(
    readonly client: Client,
    readonly keys: Keys,
    private readonly replacements: Readonly<Record<string, string>> = {},
  ) {
    const options = 'nodes' in client ? client.options.redisOptions : client.options
    this.commandTimeout = options?.commandTimeout
  }

  /**
   * Runs a script atomically: by EVAL the first time, then by EVALSHA, and by EVAL again where Redis does not know it. Both
   * together take no longer than the client's command timeout. Not by ioredis's `defineCommand`: that costs the caller of
   * a charge a third more CPU.
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
        // The script has not run, so it may be sent again.
        if (errorCode(error) !== 'NOSCRIPT') throw error
        const answer = this.client.eval(assembled.source, keys.length, ...keys, ...args)
        if (this.commandTimeout === undefined) return answer
        return within(begun + this.commandTimeout - performance.now(), answer)
      })
  }

  /**
   * The same for a script that replies binary data: every string of the reply is a Buffer. The source is sent each time,
   * so this is for scripts that run rarely.
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
   * Whether a call of a script that reads each key before it writes has certainly changed nothing when it failed so. A
   * Cluster client may have sent it before, and does not say so.
   */
  changedNothing(error: unknown): boolean {
    return !('nodes' in this.client) && changedNothing(error)
  }

  /**
   * Sends all calls of one turn of the event loop in one write: to wake Redis for each session costs more CPU than the
   * rest of a call. A Cluster has a connection for each node, and its calls are sent one by one.
   */
  sendTogether(): void {
    const { stream } = this.client as unknown as HoldsProcess
    if (!stream || stream.writableCorked > 0) return
    stream.cork()
    setImmediate(() => stream.uncork())
  }

  /** Lets the process end while the connection is open or being made; open calls are still answered. */
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

/** Keeps a connection, and its reconnects, from holding the process. */
function letGo(connection: Client): void {
  const unref = (): void => {
    const { stream, reconnectTimeout } = connection as unknown as HoldsProcess
    stream?.unref()
    reconnectTimeout?.unref()
  }
  unref()
  connection.on('connect', unref)
  connection.on('reconnecting', unref)
}
