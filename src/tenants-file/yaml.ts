// What a person wrote in YAML, each value with its place. The yaml package parses; its own conversion to objects would
// lose the places and expand aliases without a bound.
import {
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  parseDocument,
  visit,
  type Alias,
  type Document,
  type Node,
} from 'yaml'
import { FileMistakes, InputError, UserError } from '../base/errors'

/** Where something stands in a file; both count from 1. */
export interface Place {
  readonly line: number
  readonly column: number
}

export interface Value {
  /** `null`: empty; `undefined`: an alias without an anchor, which is a mistake noted already. */
  readonly node: Node | null | undefined
  readonly place: Place
}

export interface Entry {
  readonly key: string
  readonly keyPlace: Place
  readonly value: Value
}

/** Before parsing, lines and the signs that begin or end something: with more of them it would take gigabytes. */
const SIGNS = /[\n,[\]{}]|[-?:][ \t]/g
const MOST_SIGNS = 1_000_000
/** After it, values: a few nested aliases could stand for millions. */
const MOST_VALUES = 1_000_000
const MOST_MISTAKES = 100
/** Characters of what is said of one mistake. */
const LONGEST = 500
/** What may not go from a file into a log or on to a terminal. */
const UNPRINTABLE = /[\p{Cc}\p{Bidi_Control}\u2028\u2029]+/gu

/** A YAML 1.2 file. Every mistake is kept with its place, so that one run names them all. */
export class YamlFile {
  readonly root: Value
  private readonly mistakes: { place: Place; what: string }[] = []
  private readonly lines = new LineCounter()
  private readonly targets = new Map<Alias, Node>()
  private values = 0

  /**
   * @param filename for the messages.
   * @throws {InputError} the text is not YAML.
   */
  constructor(
    text: string,
    private readonly filename: string,
  ) {
    const document = this.parse(text)
    this.throwMistakes()
    this.findTargets(document)
    this.root = this.valueOf(document.contents, { line: 1, column: 1 })
  }

  /** Notes a mistake: what is wrong, the value, what to do. */
  mistake(place: Place, what: string): void {
    this.mistakes.push({ place, what })
  }

  /** Notes the {@link UserError} that `read` throws, and returns `undefined` then. */
  attempt<T>(place: Place, read: () => T): T | undefined {
    try {
      return read()
    } catch (error) {
      if (!(error instanceof UserError)) throw error
      this.mistake(place, error.message)
      return undefined
    }
  }

  /** @throws {InputError} all mistakes so far, one line each, in the order of the file. */
  throwMistakes(): void {
    if (this.mistakes.length === 0) return
    const lines = this.mistakes
      .sort((a, b) => a.place.line - b.place.line || a.place.column - b.place.column)
      .slice(0, MOST_MISTAKES)
      .map(({ place, what }) => atPlace(this.filename, place, what))
    const more = this.mistakes.length - lines.length
    if (more > 0) lines.push(`${this.filename}: and ${more} more mistakes`)
    throw new FileMistakes(lines.join('\n'))
  }

  /** The entries of a mapping, none where the value is empty. Doubled and unknown keys are mistakes. */
  mapping({ node, place }: Value, what: string, known?: readonly string[]): Entry[] {
    if (!node) return []
    if (!isMap<Node, Node | null>(node)) {
      this.wrong(node, place, `${what} must be a mapping (key: value)`)
      return []
    }
    const entries = new Map<string, Entry>()
    for (const pair of node.items) {
      const keyPlace = this.placeOf(pair.key)
      const key = isScalar<string>(pair.key) ? pair.key.value : ''
      const earlier = entries.get(key)
      if (earlier) {
        const { line } = earlier.keyPlace
        const twice = `${what} has the key ${quote(key)} twice, first in line ${line}: keep one`
        this.mistake(keyPlace, twice)
      } else if (known && !known.includes(key)) {
        this.mistake(keyPlace, `${what} has no key ${quote(key)}: use ${known.join(', ')}`)
      } else {
        entries.set(key, { key, keyPlace, value: this.valueOf(pair.value, keyPlace) })
      }
    }
    return [...entries.values()]
  }

  /** The items of a list, none where the value is empty. */
  list({ node, place }: Value, what: string): Value[] {
    if (!node) return []
    if (isSeq<Node | null>(node)) return node.items.map((item) => this.valueOf(item, place))
    this.wrong(node, place, `${what} must be a list (- item)`)
    return []
  }

  /** A text; a number counts as it is written. */
  text({ node, place }: Value, what: string): string | undefined {
    if (isScalar(node) && typeof node.value === 'string') return node.value
    this.wrong(node, place, `${what} must be a text`, isScalar(node) ? ': put it in quotes' : '')
    return undefined
  }

  /** `true` or `false`. */
  flag({ node, place }: Value, what: string): boolean | undefined {
    if (isScalar(node) && typeof node.value === 'boolean') return node.value
    this.wrong(node, place, `${what} must be true or false`)
    return undefined
  }

  isMapping({ node }: Value): boolean {
    return isMap(node)
  }

  private wrong(node: Value['node'], place: Place, mustBe: string, help = ''): void {
    if (node !== undefined) this.mistake(place, `${mustBe}, not ${kindOf(node)}${help}`)
  }

  private parse(text: string): Document {
    this.assertParsable(text)
    const document = parseDocument(text, {
      lineCounter: this.lines,
      prettyErrors: false,
      // Numbers stay as they are written: 007 is an id.
      schema: 'failsafe',
      customTags: ['null', 'bool'],
      stringKeys: true,
      // The package compares each key with each; mapping() checks them in linear time.
      uniqueKeys: false,
    })
    for (const { code, pos, message } of [...document.errors, ...document.warnings]) {
      this.mistake(this.placeAt(pos[0]), PLAINLY[code] ?? message)
    }
    return document
  }

  private assertParsable(text: string): void {
    let signs = 0
    while (SIGNS.test(text)) signs++
    if (signs <= MOST_SIGNS) return
    const what = `has more than ${MOST_SIGNS} lines, items and brackets: split it`
    throw new FileMistakes(`${this.filename}: ${what}`)
  }

  /** Finds for each alias the node of that anchor before it. */
  private findTargets(document: Document): void {
    const anchors = new Map<string, Node>()
    visit(document, {
      Alias: (_key, node) => {
        const target = anchors.get(node.source)
        if (target) this.targets.set(node, target)
      },
      Value: (_key, node) => {
        if (node.anchor) anchors.set(node.anchor, node)
      },
    })
  }

  private valueOf(node: Node | null, fallback: Place): Value {
    if (++this.values > MOST_VALUES) {
      const what = `holds more than ${MOST_VALUES} values with its aliases expanded: use fewer aliases`
      throw new InputError(`${this.filename}: ${what}`)
    }
    const target = isAlias(node) ? this.targets.get(node) : node
    if (target === null || (isScalar(target) && target.value === null)) {
      return { node: null, place: fallback }
    }
    const place = this.placeOf(node!)
    if (target === undefined) {
      const { source } = node as Alias
      this.mistake(
        place,
        `*${source} stands for an anchor that is not there: a text that begins with * must be in quotes, '*${source}'`,
      )
    }
    return { node: target, place }
  }

  private placeOf(node: Node): Place {
    return this.placeAt(node.range?.[0] ?? 0)
  }

  private placeAt(offset: number): Place {
    const { line, col } = this.lines.linePos(offset)
    return { line, column: col }
  }
}

/** Instead of what the package says to programmers. */
const PLAINLY: Readonly<Record<string, string>> = {
  MULTIPLE_DOCS: 'there are multiple documents: keep one',
  RESOURCE_EXHAUSTION: 'is nested too deeply',
}

/** One line for people: `FILE:LINE:COLUMN: what is wrong`. */
export function atPlace(filename: string, { line, column }: Place, what: string): string {
  const told = what.replaceAll(UNPRINTABLE, ' ')
  const shown = told.length > LONGEST ? `${told.slice(0, LONGEST)}…` : told
  return `${filename.replaceAll(UNPRINTABLE, ' ')}:${line}:${column}: ${shown}`
}

function quote(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text)
}

function kindOf(node: Node | null): string {
  if (isMap(node)) return 'a mapping'
  if (isSeq(node)) return 'a list'
  return isScalar(node) ? quote(node.source ?? '') : 'empty'
}
