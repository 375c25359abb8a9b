/**
 * What `each` makes of all items, in order, with at most `places` of them running. None is begun after the first failure.
 *
 * @throws what the first to fail rejects with; those that are running go on.
 */
export async function mapLimited<T, R>(
  list: readonly T[],
  places: number,
  each: (item: T) => Promise<R>,
): Promise<R[]> {
  const results: R[] = []
  // All loops take from one generator, which ends for all of them when one loop fails.
  const items = itemsOf(list)
  const work = async (): Promise<void> => {
    for (const [at, item] of items) results[at] = await each(item)
  }
  await Promise.all(Array.from({ length: Math.min(places, list.length) }, work))
  return results
}

function* itemsOf<T>(list: readonly T[]): Generator<[number, T]> {
  yield* list.entries()
}

/** Gives a place back; to be called once. */
export type Leave = () => void

/** The places and the waiting calls of one name. */
interface Share {
  held: number
  /** Each of them takes a place when called; the one that has waited longest comes first. */
  readonly waiting: Set<() => void>
}

/**
 * A bounded number of places for work, shared fairly between names.
 *
 * A name takes a place only while it holds fewer than are free (dynamic thresholds, Choudhury and Hahne 1998): alone it
 * gets half of them, two get a third each, and a newcomer finds a place even if none is given back. A place that is given
 * back goes to the waiting name that holds the fewest. The queue is shared by the same rule. Where each call has a name of
 * its own, all places are used, first come, first served.
 */
export class Limiter {
  #places: number
  #queue: number
  /** Names that hold a place or wait for one; the one that took a place last is the last. */
  readonly #shares = new Map<string, Share>()

  /**
   * @param places that can be held at a time.
   * @param queue how many can wait for one.
   */
  constructor(places: number, queue: number) {
    this.#places = places
    this.#queue = queue
  }

  /**
   * Waits for a place.
   *
   * @param name whose share it is.
   * @param ms how long it waits at most.
   * @param signal ends the waiting at once.
   * @returns `undefined`: no place was free in that time, or the share of the queue is full.
   */
  async enter(name: string, ms: number, signal?: AbortSignal): Promise<Leave | undefined> {
    if (signal?.aborted) return undefined
    const share = this.#shares.get(name) ?? { held: 0, waiting: new Set() }
    // A name that waits may not take a place now, so this call overtakes none.
    if (mayTake(share.held, this.#places)) return this.#take(name, share)
    return mayTake(share.waiting.size, this.#queue)
      ? this.#wait(name, share, ms, signal)
      : undefined
  }

  #wait(
    name: string,
    share: Share,
    ms: number,
    signal: AbortSignal | undefined,
  ): Promise<Leave | undefined> {
    return new Promise((resolve) => {
      const stop = (): void => {
        clearTimeout(timer)
        signal?.removeEventListener('abort', giveUp)
        share.waiting.delete(call)
        this.#queue++
      }
      const call = (): void => {
        stop()
        resolve(this.#take(name, share))
      }
      const giveUp = (): void => {
        stop()
        this.#forget(name, share)
        resolve(undefined)
      }
      const timer = setTimeout(giveUp, ms)
      signal?.addEventListener('abort', giveUp)
      this.#shares.set(name, share)
      share.waiting.add(call)
      this.#queue--
    })
  }

  #take(name: string, share: Share): Leave {
    this.#places--
    share.held++
    this.#shares.delete(name)
    this.#shares.set(name, share)
    return () => {
      this.#places++
      share.held--
      this.#forget(name, share)
      this.#callNext()
    }
  }

  #callNext(): void {
    for (;;) {
      let next: Share | undefined
      for (const share of this.#shares.values()) {
        if (share.waiting.size > 0 && share.held < (next?.held ?? Infinity)) next = share
      }
      if (!next || !mayTake(next.held, this.#places)) return
      const [call] = next.waiting
      call!()
    }
  }

  #forget(name: string, { held, waiting }: Share): void {
    if (held === 0 && waiting.size === 0) this.#shares.delete(name)
  }
}

function mayTake(own: number, free: number): boolean {
  return own < free
}
