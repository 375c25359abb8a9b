#!/usr/bin/env node
import { safeJson } from '../safe-text'
import { failureOf } from './failure'
import { processIo, type Io } from './io'
import { createProgram } from './program'

/**
 * Runs one command line.
 *
 * @param argv without node and the script.
 * @returns the exit status; never throws and never ends the process.
 */
export async function main(argv: readonly string[], io: Io): Promise<number> {
  let status = 0
  try {
    await createProgram(io, (ended) => (status = ended)).parseAsync(argv, { from: 'user' })
    return status
  } catch (error) {
    const failure = failureOf(error)
    if (!failure) return 0
    const { message } = failure
    io.stderr.write(
      argv.includes('--json')
        ? `${safeJson({ error: message, status: failure.status }, 0)}\n`
        : message.replace(/^/gm, 'tenantctl: ') + '\n',
    )
    return failure.status
  }
}

if (require.main === module) {
  // haraka-config logs to stdout, which is for results.
  console.log = console.error
  // The reader of our output may go early: tenantctl … | head
  process.stdout.on('error', () => process.exit(0))
  void main(process.argv.slice(2), processIo()).then((status) => (process.exitCode = status))
}
