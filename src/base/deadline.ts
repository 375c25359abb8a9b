/** More than this setTimeout takes for nothing. */
const LONGEST = 2 ** 31 - 1

/**
 * Waits for a promise no longer than `ms`; what it does goes on, and its later failure is nobody's.
 *
 * @throws what the promise rejects with, or that the time is over.
 */
export function within<T>(ms: number, promise: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => {
        // What has come during a long turn of the event loop is in time: it looks at its sockets after its timers.
        setImmediate(() => reject(new Error(`no answer within ${Math.round(ms)} ms`)))
      },
      Math.min(ms, LONGEST),
    )
    void promise.then(resolve, reject).finally(() => clearTimeout(timer))
  })
}
