import { coalesced } from '../base/coalesce'

/**
 * Work that may take longer than a scrape may wait: it goes on in the background, and what it found before is shown
 * meanwhile.
 */
export class Kept<T> {
  private value: T | undefined
  private readonly run: () => Promise<void>

  /** @param patience how long to wait for it, in ms. */
  constructor(
    work: () => Promise<T>,
    private readonly patience: number,
  ) {
    this.run = coalesced(async () => {
      this.value = await work()
    })
  }

  /**
   * Starts the work, and returns what it found; `undefined`: nothing yet.
   *
   * @throws what the work throws while it is waited for.
   */
  async latest(): Promise<T | undefined> {
    let timer: NodeJS.Timeout | undefined
    const enough = new Promise<void>((resolve) => (timer = setTimeout(resolve, this.patience)))
    const work = this.run()
    // It may fail after it was waited for.
    work.catch(() => {})
    try {
      await Promise.race([work, enough])
    } finally {
      clearTimeout(timer)
    }
    return this.value
  }
}
