/** Lets so many in at a time; the others wait in the order in which they came. */
export class Gate {
  #free: number
  readonly #waiting: (() => void)[] = []

  constructor(places: number) {
    this.#free = places
  }

  /**
   * Waits for a place, and gives it up by what it returns.
   *
   * @param ms how long, at most.
   * @returns `undefined`: there was none in that time.
   */
  enter(ms: number): Promise<(() => void) | undefined> {
    const leave = (): void => {
      const next = this.#waiting.shift()
      if (next) next()
      else this.#free++
    }
    if (this.#free > 0) {
      this.#free--
      return Promise.resolve(leave)
    }
    return new Promise((resolve) => {
      const called = (): void => {
        clearTimeout(timer)
        resolve(leave)
      }
      const timer = setTimeout(() => {
        this.#waiting.splice(this.#waiting.indexOf(called), 1)
        resolve(undefined)
      }, ms)
      this.#waiting.push(called)
    })
  }
}
