import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import type { Command } from 'ioredis'
import type { Client } from '../src/store/store'

/** redis-benchmark puts another number there in every call. */
const RANDOM = '__rand_int__'

/** It seeds its numbers with `time ^ pid`, so two runs may repeat them: each run also gets a unique part. */
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
  // ioredis sends everything through this method, which a Redis and a Cluster declare differently.
  const sender = client as unknown as {
    sendCommand: (command: Command, ...rest: unknown[]) => unknown
  }
  const send = sender.sendCommand.bind(client)
  sender.sendCommand = (command, ...rest) => {
    if (command.name === 'evalsha') found = wordsOf(String(command.toWritable(client)))
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

/** The words of a command as it is sent: each a line with its length, then a line with itself. */
function wordsOf(sent: string): readonly string[] {
  return sent.split('\r\n').filter((_, at) => at > 0 && at % 2 === 0)
}

/**
 * Repeats a command with redis-benchmark, and returns how many it made a second.
 *
 * @param varying the part of its words that differs in every call
 */
export async function repeat(
  port: number,
  command: readonly string[],
  { calls, varying, inFlight }: { calls: number; varying: string; inFlight: number },
): Promise<number> {
  const variable = `${++runs}-${RANDOM}`
  const { stdout } = await promisify(execFile)('redis-benchmark', [
    ...['-p', String(port), '-n', String(calls), '-r', '2000000000', '--csv'],
    // One connection.
    ...['-c', '1', '-P', String(inFlight)],
    ...command.map((word) => word.replaceAll(varying, variable)),
  ])
  // "title","rps" and six latencies; the title holds the arguments.
  const rate = /"([\d.]+)"(?:,"[\d.]+"){6}\s*$/.exec(stdout)?.[1]
  if (rate === undefined) throw new Error(`redis-benchmark printed: ${stdout.slice(-500)}`)
  return Number(rate)
}
