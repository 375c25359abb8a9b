import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import type { Command } from 'ioredis'
import type { Client } from '../src/store/store'

const PROGRAM = 'redis-benchmark'

/** redis-benchmark puts another number there in every call. */
const RANDOM = '__rand_int__'

/** It seeds its numbers with `time ^ pid`, so that two runs may bring the same: each gets a part of its own, too. */
let runs = 0

/**
 * Runs `act` and returns the last EVALSHA that this client sent meanwhile, word for word.
 *
 * @throws Error where it sent none
 */
export async function lastScriptCall(
  client: Client,
  act: () => Promise<unknown>,
): Promise<readonly string[]> {
  let found: readonly string[] | undefined
  // All that ioredis sends goes through this method, which a Redis and a Cluster declare differently.
  const sender = client as unknown as {
    sendCommand: (command: Command, ...rest: unknown[]) => unknown
  }
  const send = sender.sendCommand.bind(client)
  sender.sendCommand = (command, ...rest) => {
    if (command.name === 'evalsha') found = [command.name, ...command.args.map(String)]
    return send(command, ...rest)
  }
  try {
    await act()
  } finally {
    sender.sendCommand = send
  }
  if (!found) throw new Error('no script ran by its SHA1')
  return found
}

/** Whether redis-benchmark is installed (Debian: redis-tools). */
export async function hasRedisBenchmark(): Promise<boolean> {
  return promisify(execFile)(PROGRAM, ['--version']).then(
    () => true,
    () => false,
  )
}

/**
 * Repeats a command with redis-benchmark and returns how many it made a second.
 *
 * @param varying the part of its words that is to be another in every call
 */
export async function repeat(
  port: number,
  command: readonly string[],
  { calls, varying, inFlight }: { calls: number; varying: string; inFlight: number },
): Promise<number> {
  const variable = `${++runs}-${RANDOM}`
  const { stdout } = await promisify(execFile)(PROGRAM, [
    ...['-p', String(port), '-n', String(calls), '-r', '2000000000', '--csv'],
    // One connection with as many calls on their way as the Ledger has.
    ...['-c', '1', '-P', String(inFlight)],
    ...command.map((word) => word.replaceAll(varying, variable)),
  ])
  // "title","rps" and six latencies; the title holds whatever the arguments hold.
  const rate = /"([\d.]+)"(?:,"[\d.]+"){6}\s*$/.exec(stdout)?.[1]
  if (rate === undefined) throw new Error(`redis-benchmark wrote: ${stdout.slice(-500)}`)
  return Number(rate)
}
