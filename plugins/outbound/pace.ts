/**
 * Says when each of many comes back: after a while, and apart from the one before. Never earlier than that one, since
 * Haraka's timer queue appends the last one, and looks for the place of any other from its beginning.
 */
export class Pace {
  private last = 0

  /**
   * @param after the least wait, in ms.
   * @param apart from one to the next, in ms.
   */
  constructor(
    private readonly after: number,
    private readonly apart: number,
  ) {}

  /**
   * How long the next one waits, in ms.
   *
   * @param now by a clock that is never set: what waits must not wait for the wall clock to get there again.
   */
  next(now: number): number {
    this.last = Math.max(now + this.after, this.last + this.apart)
    return this.last - now
  }
}
