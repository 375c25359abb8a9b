import type Truncated from 'fast-string-truncated-width'

/** A cell of a table: one line of safe text. */
export interface Box {
  readonly text: string
  /** For numbers. */
  readonly right?: boolean
  /**
   * Where the table is wider than the terminal: a text is wrapped at its blanks; a text from outside is `cut` in its
   * middle; what is to be copied stays `whole`, as does a number.
   */
  readonly fit?: 'cut' | 'whole' | undefined
  /** Colours what is printed of the text. */
  readonly paint?: ((text: string) => string) | undefined
}

type Row = readonly Box[]

const GAP = '  '
/** The least that is left of a text that may be cut. */
const LEAST = 16

/**
 * A table with a head in aligned columns, in time linear in its rows. One that `room` cannot hold without breaking a
 * word is written as a block of `HEAD  cell` lines for each row.
 *
 * @param room columns of the terminal; Infinity where nothing is to be wrapped or cut.
 */
export function* tableLines(head: Row, rows: readonly Row[], room: number): Generator<string> {
  const all = [head, ...rows]
  const widths = widthsOf(all, room)
  if (total(widths) <= room) {
    for (const row of all) yield* rowLines(row, widths)
    return
  }
  for (const [at, row] of rows.entries()) {
    if (at > 0) yield ''
    const facts = row.map((box, column): Row => [head[column]!, { ...box, right: false }])
    yield* columnLines(
      facts.filter(([, { text } = { text: '' }]) => text !== ''),
      room,
    )
  }
}

/** Rows without a head, in aligned columns; what cannot be wrapped is wider than `room`. */
export function* columnLines(rows: readonly Row[], room: number): Generator<string> {
  const widths = widthsOf(rows, room)
  for (const row of rows) yield* rowLines(row, widths)
}

/** The widest column gives way first, down to what may not be broken. */
function widthsOf(rows: readonly Row[], room: number): number[] {
  const widths = widestOf(rows, ({ text }) => widthOf(text))
  let excess = total(widths) - room
  if (excess <= 0) return widths
  const least = widestOf(rows, leastOf)
  while (excess-- > 0) {
    let widest: number | undefined
    for (const [at, width] of widths.entries()) {
      if (width > least[at]! && (widest === undefined || width > widths[widest]!)) widest = at
    }
    if (widest === undefined) break
    widths[widest]!--
  }
  return widths
}

function widestOf(rows: readonly Row[], of: (box: Box) => number): number[] {
  const widest: number[] = []
  for (const row of rows) {
    for (const [at, box] of row.entries()) widest[at] = Math.max(widest[at] ?? 0, of(box))
  }
  return widest
}

function leastOf({ text, right, fit }: Box): number {
  if (right || fit === 'whole') return widthOf(text)
  if (fit === 'cut') return Math.min(widthOf(text), LEAST)
  return Math.max(...text.split(' ').map(widthOf))
}

function total(widths: readonly number[]): number {
  return widths.reduce((sum, width) => sum + width + GAP.length, -GAP.length)
}

function* rowLines(row: Row, widths: readonly number[]): Generator<string> {
  const columns = row.map((box, at) => fitted(box, widths[at]!))
  const height = Math.max(...columns.map(({ length }) => length))
  for (let line = 0; line < height; line++) {
    const cells = row.map(({ right, paint }, at) => {
      const text = columns[at]![line] ?? ''
      const gap = ' '.repeat(Math.max(0, widths[at]! - widthOf(text)))
      const painted = paint && text !== '' ? paint(text) : text
      return right ? gap + painted : painted + gap
    })
    yield cells.join(GAP).trimEnd()
  }
}

/** The lines of a text in a column. */
function fitted({ text, right, fit }: Box, width: number): string[] {
  if (widthOf(text) <= width || right || fit === 'whole') return [text]
  return fit === 'cut' ? [cut(text, width)] : wrapped(text, width)
}

function wrapped(text: string, width: number): string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    const longer = line === '' ? word : `${line} ${word}`
    if (line === '' || widthOf(longer) <= width) {
      line = longer
    } else {
      lines.push(line)
      line = word
    }
  }
  return [...lines, line]
}

/** Cuts in the middle: of an address, both ends say most. */
function cut(text: string, width: number): string {
  const start = truncated(text, { limit: Math.ceil((width - 1) / 2) }).index
  const letters = [...text.slice(start)]
  let end = letters.length
  for (let left = Math.floor((width - 1) / 2); end > 0; end--) {
    left -= widthOf(letters[end - 1]!)
    if (left < 0) break
  }
  return `${text.slice(0, start)}…${letters.slice(end).join('')}`
}

/** An ES module: to load one takes time, and few texts need it. */
function truncated(...question: Parameters<typeof Truncated>): ReturnType<typeof Truncated> {
  // eslint-disable-next-line @typescript-eslint/no-require-imports
  const { default: of } = require('fast-string-truncated-width') as { default: typeof Truncated }
  return of(...question)
}

const ASCII = /^[\x20-\x7e]*$/

/** How many columns of a terminal a text takes. */
function widthOf(text: string): number {
  return ASCII.test(text) ? text.length : truncated(text).width
}
