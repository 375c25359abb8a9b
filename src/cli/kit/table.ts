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

const GAP = 2
/** Of a folded row, before its second line and the next ones. */
const INDENT = ' '.repeat(4)
/** No text is wrapped or cut to less: a row is folded before. */
const LEAST = 20

/** Columns that share a line, and how wide each is. */
interface Line {
  readonly from: number
  readonly widths: readonly number[]
  readonly gap: number
}

/**
 * A table with a head in aligned columns, in time linear in its rows. Where `room` cannot hold all columns without
 * breaking a word, each row is folded: the last columns go on a line of their own.
 *
 * @param room columns of the terminal; Infinity where nothing is to be wrapped or cut.
 */
export function* tableLines(head: Row, rows: readonly Row[], room: number): Generator<string> {
  const all = [head, ...rows]
  const lines = linesOf(all, room)
  for (const row of all) {
    for (const [at, { from, widths, gap }] of lines.entries()) {
      const part = row.slice(from, from + widths.length)
      if (at > 0 && part.every(({ text }) => text === '')) continue
      for (const line of rowLines(part, widths, gap)) yield at === 0 ? line : `${INDENT}${line}`
    }
  }
}

/** How many of the first columns a line of this width holds without folding; at least one. */
export function columnsWithin(rows: readonly Row[], room: number): number {
  return linesOf(rows, room)[0]!.widths.length
}

/** Rows without a head, in aligned columns; what cannot be wrapped is wider than `room`. */
export function* columnLines(rows: readonly Row[], room: number): Generator<string> {
  const widths = widthsOf(rows, room, GAP)
  for (const row of rows) yield* rowLines(row, widths, GAP)
}

/** The columns line by line: as few lines as their longest words need, with a narrower gap if that saves one. */
function linesOf(rows: readonly Row[], room: number): Line[] {
  const widths = widthsOf(rows, room, GAP)
  if (total(widths, GAP) <= room) return [{ from: 0, widths, gap: GAP }]
  const least = widestOf(rows, leastOf)
  const lines: Line[] = []
  for (let from = 0; from < least.length;) {
    const space = lines.length === 0 ? room : room - INDENT.length
    let to = from + 1
    while (to < least.length && total(least.slice(from, to + 1), 1) <= space) to++
    const part = rows.map((row) => row.slice(from, to))
    const gap = total(least.slice(from, to), GAP) <= space ? GAP : 1
    lines.push({ from, widths: widthsOf(part, space, gap), gap })
    from = to
  }
  return lines
}

/** The widest column gives way first, down to what may not be broken. */
function widthsOf(rows: readonly Row[], room: number, gap: number): number[] {
  const widths = widestOf(rows, ({ text }) => widthOf(text))
  let excess = total(widths, gap) - room
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
  const width = widthOf(text)
  if (right || fit === 'whole' || width <= LEAST) return width
  if (fit === 'cut') return LEAST
  return Math.max(LEAST, ...text.split(' ').map(widthOf))
}

function total(widths: readonly number[], gap: number): number {
  return widths.reduce((sum, width) => sum + width + gap, -gap)
}

function* rowLines(row: Row, widths: readonly number[], gap: number): Generator<string> {
  const columns = row.map((box, at) => fitted(box, widths[at]!))
  const height = Math.max(...columns.map(({ length }) => length))
  for (let line = 0; line < height; line++) {
    const cells = row.map(({ right, paint }, at) => {
      const text = columns[at]![line] ?? ''
      const blanks = ' '.repeat(Math.max(0, widths[at]! - widthOf(text)))
      const painted = paint && text !== '' ? paint(text) : text
      return right ? blanks + painted : painted + blanks
    })
    yield cells.join(' '.repeat(gap)).trimEnd()
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
