/**
 * Work that runs once at a time. Calls that come while it runs share the next run, which begins after the call: its result
 * is never older than the call.
 */
export function coalesced(work: () => Promise<void>): () => Promise<void> {
  let running: Promise<unknown> = Promise.resolve()
  let next: Promise<void> | undefined
  return () =>
    (next ??= running.then(() => {
      next = undefined
      const now = work()
      running = now.catch(() => {})
      return now
    }))
}
