#!/usr/bin/env node
import { safeJson } from '../base/safe-text'
import { failureOf, type Failure } from './kit/failure'
import { processIo, type Io } from './kit/io'
import { createProgram } from './program'

/**
 * Runs one command line.
 *
 * @param argv without node and the script.
 * @returns the exit status; never throws and never ends the process.
 */
export async function main(argv: readonly string[], io: Io): Promise<number> {
  let status = 0
  const errors = new Set<unknown>()
  const program = createProgram(io, (ended) => (status = ended), argv)
  // The error follows: a script that has lost its command must not go on.
  if (argv.length === 0) program.outputHelp()
  await program.parseAsync(argv, { from: 'user' }).catch((error: unknown) => errors.add(error))
  await io.stdout.finish().catch((error: unknown) => errors.add(error))
  for (const error of errors) {
    const failure = failureOf(error)
    if (!failure) continue
    tell(io, failure, argv.includes('--json'))
    status ||= failure.status
  }
  return status
}

function tell({ stderr }: Io, { message, status }: Failure, json: boolean): void {
  const text = json
    ? safeJson({ error: message, status }, 0)
    : message.replace(/^/gm, 'tenantctl: ')
  stderr.write(`${text}\n`)
}

if (require.main === module) {
  // haraka-config logs to stdout, which is for results.
  console.log = console.error
  // Without stderr there is nowhere to report to.
  process.stderr.on('error', () => {})
  void main(process.argv.slice(2), processIo()).then((status) => {
    process.exitCode = status
    // A terminal that was read from would keep the process alive.
    process.stdin.destroy()
  })
}
