import type { Io } from './io'

/** A person who waits longer than this is shown how far the work is, in ms. */
const SHOWN_AFTER = 1000
/** How often that is renewed, in ms. */
const RENEWED_EVERY = 100
const WIDTH = 30

/** One line on the terminal behind stderr that says how far a long piece of work is. Elsewhere it prints nothing. */
export class ProgressLine {
  private readonly begun = performance.now()
  private shown = -Infinity
  private isThere = false

  /** @param what is being done: `registering domains`. */
  constructor(
    private readonly io: Io,
    private readonly what: string,
  ) {}

  /** Shows that `done` of `total` is done, if the work takes long. */
  readonly show = (done: number, total: number): void => {
    const now = performance.now()
    if (!this.io.shows || now - this.begun < SHOWN_AFTER || now - this.shown < RENEWED_EVERY) return
    this.shown = now
    this.isThere = true
    const part = total === 0 ? 1 : Math.min(1, done / total)
    const bar = '#'.repeat(Math.round(part * WIDTH)).padEnd(WIDTH, '.')
    const amount = `${done.toLocaleString('en-US')} of ${total.toLocaleString('en-US')}`
    this.io.stderr.write(`\r${this.what} [${bar}] ${Math.floor(part * 100)}% ${amount}\u001b[K`)
  }

  /** Removes the line. */
  clear(): void {
    if (this.isThere) this.io.stderr.write('\r\u001b[K')
    this.isThere = false
  }
}
