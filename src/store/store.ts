import type { Socket } from 'node:net'
import type { Cluster, Redis } from 'ioredis'
import { changedNothing } from './failure'
import type { Keys } from './keys'
import { assemble, type Script } from './script'
import {
  loadedScript,
  prepareScript,
  ScriptCall,
  type LoadedScript,
  type PreparedScript,
  type Value,
} from './script-call'
import type { TimeOuts } from './time-outs'

export type Client = Redis | Cluster

/**
 * What keeps the process alive: the socket, and the timer of the next attempt. ioredis has no method to let go of them,
 * and declares the timer private; a Cluster has no socket of its own.
 */
interface HoldsProcess {
  readonly stream?: Socket | null
  readonly reconnectTimeout?: NodeJS.Timeout | null
  readonly timeOuts?: TimeOuts
}

/** A Redis connection, the names of our keys, and how our scripts run. */
export class Store {
  /**
   * @param replacements other sources for some scripts or includes (see {@link assemble}).
   * @param actor see {@link as}.
   */
  constructor(
    readonly client: Client,
    readonly keys: Keys,
    private readonly replacements: Readonly<Record<string, string>> = {},
    readonly actor = '',
    private readonly scripts = new Map<Script, LoadedScript>(),
  ) {}

  /**
   * The same connection in the hands of a person or program: what is changed through it is theirs in the audit trail. Many may
   * use one connection at the same time.
   *
   * @param actor see `records/actor.ts`; empty: not named.
   */
  as(actor: string): Store {
    return new Store(this.client, this.keys, this.replacements, actor, this.scripts)
  }

  /**
   * Runs a script atomically: by EVAL the first time, then by EVALSHA, and by EVAL again where Redis does not know it. Both
   * together take no longer than the client's command timeout.
   *
   * @throws what ioredis throws: not connected, timed out, or the script's own error.
   */
  run(script: Script, keys: readonly string[], args: readonly Value[]): Promise<unknown> {
    return this.call(this.prepare(script, keys), args)
  }

  /**
   * Prepares a script for many calls with the same first keys, such as those of a tenant: see {@link PreparedScript}.
   *
   * @param keys the first keys, at least one.
   * @param furtherKeys how many keys each call adds, as the first of its values.
   */
  prepare(script: Script, keys: readonly string[], furtherKeys = 0): PreparedScript {
    return prepareScript(this.loaded(script), keys, furtherKeys)
  }

  /**
   * The same as {@link run}, with a script that {@link prepare} has returned.
   *
   * @param values the further keys, then the arguments.
   * @throws as {@link run} does.
   */
  call(prepared: PreparedScript, values: readonly Value[]): Promise<unknown> {
    const { script } = prepared
    const bySource = (): Promise<unknown> => this.send(ScriptCall.bySource(prepared, values))
    if (script.sent) return this.send(ScriptCall.byDigest(prepared, values, bySource))
    script.sent = true
    return bySource()
  }

  /**
   * The same as {@link run} for binary data: arguments may be Buffers, and every string of the reply is one. The source is
   * sent each time, so this is for scripts that run rarely.
   */
  runForOctets(
    script: Script,
    keys: readonly string[],
    args: readonly (Value | Buffer)[],
  ): Promise<unknown> {
    return this.client.callBuffer('eval', this.loaded(script).source, keys.length, ...keys, ...args)
  }

  /**
   * Whether a call of a script that reads each key before it writes has certainly changed nothing when it failed so. A
   * Cluster client may have sent it before, and does not say so.
   */
  changedNothing(error: unknown): boolean {
    return !('nodes' in this.client) && changedNothing(error)
  }

  /** Lets the process end while the connection is open or being made; open calls are still answered. */
  unref(): void {
    const { client } = this
    letGo(client)
    if (!('nodes' in client)) return
    for (const node of client.nodes()) letGo(node)
    client.on('+node', letGo)
  }

  private send(call: ScriptCall): Promise<unknown> {
    return this.client.sendCommand(call) as Promise<unknown>
  }

  private loaded(script: Script): LoadedScript {
    let loaded = this.scripts.get(script)
    if (!loaded) {
      loaded = loadedScript(script.name, assemble(script, this.replacements))
      this.scripts.set(script, loaded)
    }
    return loaded
  }
}

/** Keeps a connection, and its reconnects, from holding the process. */
function letGo(connection: Client): void {
  const holds: HoldsProcess = connection as never
  holds.timeOuts?.hold()
  const unref = (): void => {
    holds.stream?.unref()
    holds.reconnectTimeout?.unref()
  }
  unref()
  connection.on('connect', unref)
  connection.on('reconnecting', unref)
}
