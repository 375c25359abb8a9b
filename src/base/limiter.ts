/** Gives a place back; to be called once. */
export type Leave = () => void

/** What one of those who share the places has. */
interface Share {
  held: number
  /** Each call takes a place; the one that waits longest comes first. */
  readonly waiting: Set<() => void>
}

/**
 * Lets a bounded number of pieces of work run at a time, in places that several share, each known by a name.
 *
 * A name takes a place only while it holds fewer than are free (dynamic thresholds, Choudhury and Hahne 1998): alone it
 * gets half of them, two get a third each, and a newcomer finds a place though none of the others ever leaves. A place
 * that is given back goes to the waiting name that holds the fewest. The queue is shared by the same rule.
 */
export class Limiter {
  #places: number
  #queue: number
  /** Those who hold a place or wait, in the order of their last turn. */
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
   * @param name of the one whose share it is.
   * @param ms how long it waits at most.
   * @param signal ends the waiting at once.
   * @returns `undefined`: none was free in that time, or its share of the queue is full.
   */
  async enter(name: string, ms: number, signal?: AbortSignal): Promise<Leave | undefined> {
    if (signal?.aborted) return undefined
    const share = this.#shares.get(name) ?? { held: 0, waiting: new Set() }
    // Nobody waits who may take one: whoever comes now is not early.
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
