import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { promisify } from 'node:util'
import type { Keys } from '../src/store/keys'
import { assemble, type Script } from '../src/store/script'
import { Store, type Client } from '../src/store/store'

const PROGRAM = 'redis-benchmark'

/** redis-benchmark puts another number there in every call. */
const RANDOM = '__rand_int__'

/** It seeds its numbers with `time ^ pid`, so that two runs may bring the same: each gets a part of its own, too. */
let runs = 0

/** One call of a script, as redis-benchmark can repeat it. */
export interface ScriptCall {
  readonly script: Script
  readonly keys: readonly string[]
  readonly args: readonly (string | number)[]
}

/** A store that remembers the last script that ran. */
export class RecordingStore extends Store {
  last: ScriptCall | undefined

  constructor(client: Client, keys: Keys) {
    super(client, keys)
  }

  override run(
    script: Script,
    keys: readonly string[],
    args: readonly (string | number)[],
  ): Promise<unknown> {
    this.last = { script, keys, args }
    return super.run(script, keys, args)
  }
}

/** Whether redis-benchmark is installed (Debian: redis-tools). */
export async function hasRedisBenchmark(): Promise<boolean> {
  return promisify(execFile)(PROGRAM, ['--version']).then(
    () => true,
    () => false,
  )
}

/**
 * Repeats a script call with redis-benchmark and returns how many it made a second.
 *
 * @param varying the part of keys and arguments that is to be another in every call
 */
export async function repeat(
  port: number,
  { script, keys, args }: ScriptCall,
  { calls, varying, inFlight }: { calls: number; varying: string; inFlight: number },
): Promise<number> {
  const sha = createHash('sha1').update(assemble(script)).digest('hex')
  const variable = `${++runs}-${RANDOM}`
  const words = [...keys, ...args].map((word) => String(word).replaceAll(varying, variable))
  const { stdout } = await promisify(execFile)(PROGRAM, [
    ...['-p', String(port), '-n', String(calls), '-r', '2000000000', '--csv'],
    // One connection with as many calls on their way as the Ledger has.
    ...['-c', '1', '-P', String(inFlight)],
    ...['evalsha', sha, String(keys.length), ...words],
  ])
  // "title","rps" and six latencies; the title holds whatever the arguments hold.
  const rate = /"([\d.]+)"(?:,"[\d.]+"){6}\s*$/.exec(stdout)?.[1]
  if (rate === undefined) throw new Error(`redis-benchmark wrote: ${stdout.slice(-500)}`)
  return Number(rate)
}
