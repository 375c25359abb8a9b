/**
 * Takes one of so many, without a pattern: of each that many in a row exactly one, at a place that nobody can foresee. So
 * nobody can send what is not to be seen in between, and mail that comes in step is seen as often as any other.
 */
export class Turns {
  private left = 0
  private place = 0

  /** @param random as Math.random. */
  constructor(
    private readonly every: number,
    private readonly random: () => number = Math.random,
  ) {}

  /** Whether it is the turn of this one. */
  next(): boolean {
    if (this.left === 0) {
      this.left = this.every
      this.place = 1 + Math.floor(this.random() * this.every)
    }
    return this.left-- === this.place
  }
}
