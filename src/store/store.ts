import type { Cluster, Redis } from 'ioredis'
import { Keys } from './keys'
import { assemble, type Script } from './script'

export type Client = Redis | Cluster

type Command = (keyCount: number, ...args: (string | number)[]) => Promise<unknown>

/** A Redis connection together with the names of our keys, and the way to run our scripts on it. */
export class Store {
  private readonly commands = new Map<string, Command>()

  /** @param replacements other sources for some scripts or their shared pieces (see {@link assemble}). */
  constructor(
    readonly client: Client,
    readonly keys: Keys,
    private readonly replacements: Readonly<Record<string, string>> = {},
  ) {}

  /**
   * Runs a script atomically: EVALSHA, and EVAL where Redis does not know it (ioredis `defineCommand`).
   *
   * @throws what ioredis throws: not connected, timed out, or the script's own error.
   */
  run(
    script: Script,
    keys: readonly string[],
    args: readonly (string | number)[],
  ): Promise<unknown> {
    return this.command(script)(keys.length, ...keys, ...args)
  }

  private command(script: Script): Command {
    const known = this.commands.get(script.name)
    if (known) return known
    const name = `ud_${script.name}`
    this.client.defineCommand(name, { lua: assemble(script, this.replacements) })
    const client = this.client as unknown as Record<string, Command>
    const command: Command = (keyCount, ...args) => client[name]!(keyCount, ...args)
    this.commands.set(script.name, command)
    return command
  }
}
