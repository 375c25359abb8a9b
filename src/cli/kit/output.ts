import { styleText } from 'node:util'
import Table from 'cli-table3'
import { clean, safeJson } from '../../base/safe-text'
import type { Io } from './io'

/** Green, yellow, red or faint on a terminal, plain elsewhere. */
export type Tone = 'good' | 'warn' | 'bad' | 'faint'

/** A cell of a table; `tone` as in {@link Tone}, `right` for numbers. */
export type Cell =
  string | { readonly text: string; readonly tone?: Tone; readonly right?: boolean }

const COLOURS = { good: 'green', warn: 'yellow', bad: 'red', faint: 'gray' } as const

/** A duration for people, rounded up to one or two units: `45s`, `12m`, `3h 20m`, `2d 4h`. */
export function duration(ms: number): string {
  const seconds = Math.ceil(ms / 1000)
  if (seconds < 60) return `${seconds}s`
  const minutes = Math.ceil(seconds / 60)
  if (minutes < 60) return `${minutes}m`
  const hours = Math.floor(minutes / 60)
  if (hours < 24) return join(hours, 'h', minutes % 60, 'm')
  const days = Math.floor(hours / 24)
  return join(days, 'd', hours % 24, 'h')
}

function join(large: number, largeUnit: string, small: number, smallUnit: string): string {
  return small === 0 ? `${large}${largeUnit}` : `${large}${largeUnit} ${small}${smallUnit}`
}

/** The longest text from outside in a cell: a sender must not be able to make a table unreadable. */
const LONGEST_OUTSIDE = 44

/** A text from outside, for a cell of a table. A long one is cut in the middle; `--json` has all of it. */
export function brief(text: string): string {
  const letters = [...clean(text)]
  if (letters.length <= LONGEST_OUTSIDE) return letters.join('')
  const half = LONGEST_OUTSIDE / 2 - 1
  return `${letters.slice(0, half).join('')}…${letters.slice(-half).join('')}`
}

/**
 * What a command writes to stdout: lines and tables for people, or one JSON value for programs. All text passes
 * {@link clean} here, so that a command cannot forget it.
 */
export class Output {
  private readonly colours: boolean

  constructor(
    private readonly io: Io,
    /** `--json` was given. */
    readonly json: boolean,
  ) {
    this.colours = io.terminal && !io.env['NO_COLOR']
  }

  /** Writes `value` with `--json`; else calls `people`. */
  result(value: unknown, people: () => void): void {
    if (this.json) this.io.stdout.write(`${safeJson(value)}\n`)
    else people()
  }

  /** Writes one of many JSON values, on a line of its own. */
  object(value: unknown): void {
    this.io.stdout.write(`${safeJson(value, 0)}\n`)
  }

  line(text = '', tone?: Tone): void {
    this.io.stdout.write(`${this.paint(text, tone)}\n`)
  }

  /** Writes aligned columns, or `empty` where there are no rows. */
  table(head: readonly string[], rows: readonly (readonly Cell[])[], empty: string): void {
    if (rows.length === 0) {
      this.line(empty)
      return
    }
    this.io.stdout.write(
      this.columns([
        head.map((title) => this.heading(title)),
        ...rows.map((row) => this.cells(row)),
      ]),
    )
  }

  /** Writes aligned `name  value` lines. */
  facts(facts: readonly (readonly [string, Cell])[]): void {
    this.io.stdout.write(this.columns(facts.map((fact) => this.cells(fact))))
  }

  private columns(rows: Table.Cell[][]): string {
    const table = new Table({ chars: NO_LINES, style: NO_STYLE })
    table.push(...rows)
    return table
      .toString()
      .split('\n')
      .map((line) => `${line.trimEnd()}\n`)
      .join('')
  }

  private cells(row: readonly Cell[]): Table.Cell[] {
    return row.map((cell) => {
      if (typeof cell === 'string') return clean(cell)
      return {
        content: this.paint(cell.text, cell.tone),
        ...(cell.right && { hAlign: 'right' as const }),
      }
    })
  }

  private heading(title: string): string {
    return this.colours ? style('bold', title) : title
  }

  private paint(text: string, tone: Tone | undefined): string {
    const safe = clean(text)
    return tone && this.colours ? style(COLOURS[tone], safe) : safe
  }
}

/** `colours` decides: Node would look at its own stdout. */
function style(format: (typeof COLOURS)[Tone] | 'bold', text: string): string {
  return styleText(format, text, { validateStream: false })
}

const NO_LINES = {
  top: '',
  'top-mid': '',
  'top-left': '',
  'top-right': '',
  bottom: '',
  'bottom-mid': '',
  'bottom-left': '',
  'bottom-right': '',
  left: '',
  'left-mid': '',
  mid: '',
  'mid-mid': '',
  right: '',
  'right-mid': '',
  middle: '  ',
}

const NO_STYLE = { head: [], border: [], compact: true, 'padding-left': 0, 'padding-right': 0 }
