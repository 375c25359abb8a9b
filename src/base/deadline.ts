/** For a longer time setTimeout fires at once. */
const LONGEST = 2 ** 31 - 1

/**
 * Waits for a promise no longer than `ms`; its work goes on after that, and a later failure is ignored.
 *
 * @throws what the promise rejects with, or that the time is over.
 */
export function within<T>(ms: number, promise: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => {
        // An answer that arrived during a long turn of the event loop is in time: sockets are read after timers.
        setImmediate(() => reject(new Error(`no answer within ${Math.round(ms)} ms`)))
      },
      Math.min(ms, LONGEST),
    )
    void promise.then(resolve, reject).finally(() => clearTimeout(timer))
  })
}
