import type { Work } from '../../base/work'
import type { Io } from './io'
import { ProgressLine } from './progress'

/**
 * Runs a change that may take long: shows its progress, and lets Ctrl-C and SIGTERM end it after its current step. A second
 * Ctrl-C ends the process at once.
 *
 * @param what is being done, for the progress: `registering domains`.
 */
export async function longWork<T>(
  io: Io,
  what: string,
  run: (work: Work) => Promise<T>,
): Promise<T> {
  const line = new ProgressLine(io, what)
  const stop = new AbortController()
  const forget = io.onInterrupt(() => {
    line.clear()
    io.stderr.write('tenantctl: stopping after this step; Ctrl-C again ends it at once\n')
    stop.abort()
  })
  try {
    return await run({ signal: stop.signal, progress: line.show })
  } finally {
    forget()
    line.clear()
  }
}
