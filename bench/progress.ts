const QUIET_FOR = 5_000

/** Says on stderr what is being done: one line that changes on a terminal, now and then a line elsewhere. */
export class Progress {
  #saidAt = -Infinity
  #section = ''

  constructor(private readonly stream: NodeJS.WriteStream = process.stderr) {}

  section(title: string): void {
    this.#section = title
    this.#saidAt = -Infinity
    this.say('starting')
  }

  say(step: string): void {
    const text = `${this.#section}: ${step}`
    if (this.stream.isTTY) {
      this.stream.write(`\r\x1b[K${text.slice(0, this.stream.columns - 1)}`)
    } else if (performance.now() - this.#saidAt > QUIET_FOR) {
      this.#saidAt = performance.now()
      this.stream.write(`${text}\n`)
    }
  }

  /** Clears the line for what comes now. */
  end(): void {
    if (this.stream.isTTY) this.stream.write('\r\x1b[K')
  }
}
