import regex from 'haraka-config/lib/regex'

/** A remark about a line of an ini file. */
interface LineNote {
  /** Counted from 1. */
  readonly line: number
  readonly message: string
}

/** A line that is no comment, no section and no `key=value`. */
interface LineFault extends LineNote {
  /** The section that it is in, or that it was meant to begin. */
  readonly section: string
  /** Its first word, which may be a key. `undefined` for a section line too. */
  readonly key: string | undefined
  /** Whether it is a damaged section line, and is read as that section. */
  readonly mended: boolean
}

/** The lines of an ini file, of which haraka-config does not tell. */
export interface IniLines {
  /**
   * The text for haraka-config's parser, without lines that it would not understand. It would put the keys below a damaged
   * section line into the section above, so such lines are mended.
   */
  readonly text: string
  readonly faults: readonly LineFault[]
  /** Keys that are set twice, and sections that begin twice. */
  readonly warnings: readonly LineNote[]
  /** By their names. A key above all section lines is in `main`. */
  readonly sections: ReadonlyMap<string, SectionLines>
}

/** Where a section is. */
interface SectionLines {
  /** Its first line. */
  readonly line: number
  /** The line that sets each key; of a list (`key[]`) the first. */
  readonly keys: ReadonlyMap<string, number>
}

/** How messages name a key: `[section] key`. */
export function keyId(section: string, key: string): string {
  return `[${section}] ${key}`
}

/** A message about a file, after the file and the line if there is one: `FILE:3: …`. */
export function atLine(
  file: string,
  { line, message }: { readonly line?: number | undefined; readonly message: string },
): string {
  return `${file}${line === undefined ? '' : `:${line}`}: ${message}`
}

/** Reads the lines of an ini file as haraka-config does (`lib/readers/ini.js`, `parseIni`). */
export function iniLines(text: string): IniLines {
  return new Reading(text.split(/\r\n|\r|\n/)).result()
}

const FIRST_WORD = /^\s*([\w-]+)/
/** One word, or two that nothing else follows. */
const SECTION_NAME = /^\s*\[\s*([\w-]*(?: [\w-]+(?=\s*(?:\]|$)))?)/

class Reading {
  private readonly faults: LineFault[] = []
  private readonly warnings: LineNote[] = []
  private readonly sections = new Map<string, { line: number; keys: Map<string, number> }>()
  /** By {@link keyId}. */
  private readonly lists = new Set<string>()
  private section = 'main'
  /** Indexes of lines that end in a backslash: they belong to the line that comes next. */
  private continued: number[] = []

  constructor(private readonly lines: string[]) {
    lines.forEach((line, index) => this.read(line, index))
    this.endContinued()
  }

  result(): IniLines {
    const { lines, faults, warnings, sections } = this
    return { text: lines.join('\n'), faults, warnings, sections }
  }

  private read(line: string, index: number): void {
    if (regex.comment.test(line) || regex.blank.test(line)) return
    const section = regex.section.exec(line)
    if (section) this.begin(section[1]!.trim(), index)
    else if (regex.continuation.test(line)) this.continued.push(index)
    else this.readKey([...this.continued.splice(0), index])
  }

  private begin(section: string, index: number): void {
    this.endContinued()
    this.section = section
    const first = this.sections.get(section)
    if (!first) this.sections.set(section, { line: index + 1, keys: new Map() })
    else
      this.warn(
        index,
        `[${section}] begins again, as on line ${first.line}: the keys of both are in effect`,
      )
  }

  /** @param indexes of one line, or of several of which each goes on in the next. */
  private readKey(indexes: readonly number[]): void {
    const line = this.joined(indexes)
    const [, name, value] = regex.param.exec(line) ?? []
    if (name !== undefined && value !== undefined) this.set(name, indexes[0]!)
    else if (/^\s*\[/.test(line)) this.mendSection(line, indexes)
    else if (line.includes('='))
      this.leaveOut(indexes, 'the line is no KEY=VALUE: a key has letters and _ only')
    else
      this.leaveOut(
        indexes,
        'the line has no "=": a key is written KEY=VALUE, a comment begins with ; or #',
      )
  }

  private set(name: string, index: number): void {
    const { section, sections, lists } = this
    if (!sections.has(section)) this.begin(section, index)
    const { keys } = sections.get(section)!
    const list = regex.is_array.exec(name)?.[1]
    const key = list ?? name
    const id = keyId(section, key)
    if (list !== undefined && lists.has(id)) return
    if (list !== undefined) lists.add(id)
    const earlier = keys.get(key)
    keys.set(key, index + 1)
    if (earlier === undefined) return
    this.warn(index, `${id} is set again, as on line ${earlier}: line ${index + 1} is in effect`)
  }

  private mendSection(line: string, indexes: readonly number[]): void {
    const section = SECTION_NAME.exec(line)![1]!
    this.fault(indexes, {
      section,
      key: undefined,
      mended: true,
      message: `the line is no section: write [${section}] and nothing else`,
    })
    this.lines[indexes[0]!] = `[${section}]`
    this.begin(section, indexes[0]!)
  }

  private endContinued(): void {
    if (this.continued.length === 0) return
    this.leaveOut(
      this.continued.splice(0),
      'the line ends in a backslash, which joins it to the next one, and there is none',
    )
  }

  private leaveOut(indexes: readonly number[], message: string): void {
    const key = FIRST_WORD.exec(this.joined(indexes))?.[1]
    this.fault(indexes, { section: this.section, key, mended: false, message })
  }

  private fault(indexes: readonly number[], fault: Omit<LineFault, 'line'>): void {
    this.faults.push({ line: indexes[0]! + 1, ...fault })
    for (const index of indexes) this.lines[index] = ''
  }

  private joined(indexes: readonly number[]): string {
    return indexes.map((index) => this.lines[index]!.replace(regex.continuation, '')).join('')
  }

  private warn(index: number, message: string): void {
    this.warnings.push({ line: index + 1, message })
  }
}
