/** How many calls there were a second, and how long each took. */
export interface Pace {
  readonly perSecond: number
  /** ms, in the order in which they ended. */
  readonly times: readonly number[]
}

/**
 * Makes so many calls, always `inFlight` of them at a time.
 *
 * @param call gets the number of the call, and its lane: from 0 to `inFlight` - 1, in which one call follows the other
 * @throws the first error of a call
 */
export async function keepInFlight(
  calls: number,
  inFlight: number,
  call: (number: number, lane: number) => Promise<unknown>,
): Promise<Pace> {
  let number = 0
  const times: number[] = []
  const run = async (lane: number): Promise<void> => {
    while (number < calls) {
      const begin = performance.now()
      await call(number++, lane)
      times.push(performance.now() - begin)
    }
  }
  const begin = performance.now()
  await Promise.all(Array.from({ length: inFlight }, (_, lane) => run(lane)))
  return { perSecond: (calls * 1000) / (performance.now() - begin), times }
}
