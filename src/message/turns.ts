/**
 * Samples one of every N: exactly one of each N in a row, at a random place. So a sender cannot hide mail between the
 * samples, and mail that comes at regular intervals is sampled as often as any other.
 */
export class Turns {
  private left = 0
  private place = 0

  /** @param random as Math.random. */
  constructor(
    private readonly every: number,
    private readonly random: () => number = Math.random,
  ) {}

  /** Whether this one is sampled. */
  next(): boolean {
    if (this.left === 0) {
      this.left = this.every
      this.place = 1 + Math.floor(this.random() * this.every)
    }
    return this.left-- === this.place
  }
}
