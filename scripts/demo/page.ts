import type { Reply } from '../services/smtp'

const INDENT = '   '
const WIDTH = 100
/** The column where replies begin, after the commands. */
const REPLY_COLUMN = 46

/** Writes the story for people, in colour on a terminal. */
export class Page {
  readonly #colour: boolean
  #chapters = 0

  constructor(private readonly out: NodeJS.WritableStream & { isTTY?: boolean }) {
    this.#colour = out.isTTY === true && !process.env['NO_COLOR']
  }

  title(text: string): void {
    this.#line(`\n${this.#paint(1, text)}\n`)
  }

  chapter(text: string): void {
    this.#line(`\n${this.#paint(1, `${++this.#chapters}. ${text}`)}`)
  }

  /** A paragraph, broken into lines. */
  text(text: string): void {
    for (const line of wrap(text, WIDTH - INDENT.length)) this.#line(INDENT + line)
  }

  /** Lines to be copied: never broken. */
  lines(...lines: string[]): void {
    for (const line of lines) this.#line(`${INDENT}  ${line}`)
  }

  gap(): void {
    this.#line('')
  }

  /** A command of the client and the server's reply, as sent over the wire. */
  exchange(command: string, reply: Reply): void {
    const colour = reply.positive ? 32 : 31
    const left = `${INDENT}${command}`.padEnd(REPLY_COLUMN)
    this.#line(`${left} ${this.#paint(colour, String(reply))}`)
  }

  /** A command of the operator and its output. */
  command(line: string, output: string): void {
    this.#line(`${INDENT}${this.#paint(36, `$ ${line}`)}`)
    for (const each of output.trimEnd().split('\n')) this.#line(INDENT + each)
  }

  #paint(code: number, text: string): string {
    return this.#colour ? `\x1b[${code}m${text}\x1b[0m` : text
  }

  #line(text: string): void {
    this.out.write(`${text.trimEnd()}\n`)
  }
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(/\s+/)) {
    if (line && line.length + 1 + word.length > width) {
      lines.push(line)
      line = word
    } else {
      line = line ? `${line} ${word}` : word
    }
  }
  return [...lines, line]
}
