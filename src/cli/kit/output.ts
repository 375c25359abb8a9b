import { styleText } from 'node:util'
import { clean, safeJson } from '../../base/safe-text'
import type { Io } from './io'
import { inLocalTime } from './local-time'
import { columnLines, columnsWithin, tableLines, type Box } from './table'

/** Green, yellow, red or faint on a terminal, plain elsewhere. */
export type Tone = 'good' | 'warn' | 'bad' | 'faint'

/** A cell of a table; `tone` as in {@link Tone}, `right` for numbers, `fit` as in {@link Box}. */
export type Cell =
  | string
  | {
      readonly text: string
      readonly tone?: Tone
      readonly right?: boolean
      readonly fit?: 'cut' | 'whole'
    }

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

/** The same as a cell, which is cut further where the terminal is narrow. */
export function outside(text: string): Cell {
  return { text: brief(text) || '-', fit: 'cut' }
}

/** A command line to copy, as a cell: it is never wrapped. */
export function toCopy(text: string): Cell {
  return { text, fit: 'whole' }
}

/** How much of a table is written at once: a row is short, and a large table would be one large text. */
const PART = 65_536

/** How a command line asks for its output. */
export interface Manner {
  readonly json?: boolean
  /** `auto`, `always` or `never` */
  readonly color?: string
  /** Times in the zone of this machine. */
  readonly local?: boolean
  /** Rows of a table that are shown on a terminal; the others are counted. */
  readonly mostRows?: number
}

/** Where a command writes to. */
export type Paper = Pick<Io, 'terminal' | 'columns' | 'env'> & {
  readonly stdout: { write(text: string): unknown }
}

/**
 * What a command writes to stdout: lines and tables for people, or one JSON value for programs. All text passes
 * {@link clean} here, so that a command cannot forget it.
 */
export class Output {
  private readonly colours: boolean
  /** `--json` was given. */
  readonly json: boolean
  /** Columns that a table may take. */
  private readonly room: number

  constructor(
    private readonly io: Paper,
    private readonly how: Manner = {},
  ) {
    this.json = how.json === true
    this.colours = hasColours(io, how.color)
    this.room = io.terminal ? io.columns : Infinity
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

  /** Writes aligned columns, or `empty` where there are no rows. On a terminal they fit its width. */
  table(head: readonly string[], rows: readonly (readonly Cell[])[], empty: string): void {
    if (rows.length === 0) {
      this.line(empty)
      return
    }
    const shown = this.io.terminal ? rows.slice(0, this.how.mostRows) : rows
    const titles = head.map((text) => ({ text, paint: this.painter('bold') }))
    this.lines(tableLines(titles, this.boxes(shown), this.room))
    const more = rows.length - shown.length
    if (more > 0) this.line(`and ${more.toLocaleString('en-US')} more (--all)`, 'faint')
  }

  /** The same, but each row takes one line: where the terminal is too narrow, the last columns are left out. */
  rows(head: readonly string[], rows: readonly (readonly Cell[])[], empty: string): void {
    const most = columnsWithin(this.boxes([head, ...rows]), this.room)
    this.table(
      head.slice(0, most),
      rows.map((row) => row.slice(0, most)),
      empty,
    )
  }

  /** Writes aligned `name  value` lines. */
  facts(facts: readonly (readonly [string, Cell])[]): void {
    this.lines(columnLines(this.boxes(facts), this.room))
  }

  private lines(lines: Iterable<string>): void {
    let part = ''
    for (const line of lines) {
      part += `${line}\n`
      if (part.length < PART) continue
      this.io.stdout.write(part)
      part = ''
    }
    if (part !== '') this.io.stdout.write(part)
  }

  private boxes(rows: readonly (readonly Cell[])[]): Box[][] {
    return rows.map((row) =>
      row.map((cell) => {
        if (typeof cell === 'string') return { text: this.text(cell) }
        const { text, tone, ...how } = cell
        return { ...how, text: this.text(text), paint: tone && this.painter(COLOURS[tone]) }
      }),
    )
  }

  private text(text: string): string {
    const safe = clean(text)
    return this.how.local ? inLocalTime(safe) : safe
  }

  private painter(format: Format): ((text: string) => string) | undefined {
    return this.colours ? (text) => style(format, text) : undefined
  }

  private paint(text: string, tone: Tone | undefined): string {
    const safe = this.text(text)
    return tone && this.colours ? style(COLOURS[tone], safe) : safe
  }
}

/** `--color`, else FORCE_COLOR, else NO_COLOR, as Node reads them; else a terminal that can show colours. */
function hasColours({ terminal, env }: Paper, when = 'auto'): boolean {
  if (when !== 'auto') return when === 'always'
  const forced = env['FORCE_COLOR']
  if (forced !== undefined) return !['0', 'false'].includes(forced)
  return terminal && !env['NO_COLOR'] && env['TERM'] !== 'dumb'
}

type Format = (typeof COLOURS)[Tone] | 'bold'

/** `colours` decides: Node would look at its own stdout. */
function style(format: Format, text: string): string {
  return styleText(format, text, { validateStream: false })
}
