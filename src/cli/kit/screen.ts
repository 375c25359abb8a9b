import { emitKeypressEvents, type Key } from 'node:readline'
import type { Io } from './io'
import { Output, type Manner } from './output'
import { Stdout } from './stdout'

/** The other screen of the terminal, without a cursor; lines that are too long are cut at its edge. */
const ENTER = '\u001b[?1049h\u001b[?25l\u001b[?7l'
const LEAVE = '\u001b[?7h\u001b[?25h\u001b[?1049l'
const HOME = '\u001b[H'
const CLEAR_REST_OF_LINE = '\u001b[K'
const CLEAR_BELOW = '\u001b[J'

/** What is typed: `name` of a key without a letter (`return`, `up`), else the text. */
export type Pressed = Pick<Key, 'name' | 'ctrl'> & { readonly text: string }

/** Whether there is a terminal that shows a screen and sends keys. */
export function hasScreen({ terminal, asks, env }: Io): boolean {
  return terminal && asks && env['TERM'] !== 'dumb'
}

/**
 * The whole terminal, until {@link close}: what was there before comes back then, also where the process ends in another
 * way.
 */
export class Screen {
  private readonly restore = (): void => {
    process.stdin.setRawMode(false)
    // Node writes to a terminal at once, also at the end of the process.
    this.io.stdout.write(LEAVE)
  }
  private readonly press = (text: string | undefined, key: Key): void =>
    this.onKey({ ...key, text: text ?? '' })

  /**
   * @param onKey is called for each key; Ctrl-C is one of them.
   * @param onResize is called when the terminal has another size.
   */
  constructor(
    private readonly io: Io,
    private readonly how: Manner,
    private readonly onKey: (key: Pressed) => void,
    private readonly onResize: () => void,
  ) {
    process.once('exit', this.restore)
    process.stdout.on('resize', onResize)
    emitKeypressEvents(process.stdin)
    process.stdin.setRawMode(true)
    process.stdin.on('keypress', this.press).resume()
    io.stdout.write(ENTER)
  }

  /** Lines of the terminal. */
  get rows(): number {
    return process.stdout.rows || 24
  }

  /** Shows what `draw` prints; lines that do not fit the height are left out at the end. */
  show(draw: (out: Output) => void): void {
    let text = ''
    const page = new Stdout({
      write: (octets, done) => {
        text += octets.toString()
        done()
      },
      close: () => {},
    })
    draw(
      new Output(
        { ...this.io, columns: process.stdout.columns || this.io.columns, stdout: page },
        this.how,
      ),
    )
    const lines = text.trimEnd().split('\n').slice(0, this.rows)
    const cleared = lines.map((line) => line + CLEAR_REST_OF_LINE).join('\r\n')
    this.io.stdout.write(HOME + cleared + CLEAR_BELOW)
  }

  close(): void {
    process.off('exit', this.restore)
    process.stdout.off('resize', this.onResize)
    process.stdin.off('keypress', this.press).pause()
    this.restore()
  }
}
