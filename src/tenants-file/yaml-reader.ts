import {
  Composer,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  Lexer,
  LineCounter,
  Parser,
  visit,
  type Alias,
  type CST,
  type Document,
  type Node,
} from 'yaml'
import { FileMistakes, InputError, UserError } from '../base/errors'

/** Where something stands in a file; both count from 1. */
export interface Place {
  readonly line: number
  readonly column: number
}

/** A value in the file; `node` is `null` where there is none. */
export interface Value {
  readonly node: Node | null
  readonly place: Place
}

export interface Entry {
  readonly key: string
  readonly keyPlace: Place
  readonly value: Value
}

/** Values read at most, aliases expanded: a few nested aliases could otherwise stand for millions. */
const MOST_VALUES = 1_000_000
/** Mistakes that are named, and that are kept to be put in order. */
const MOST_MISTAKES = 100
const MOST_KEPT = 1000
const DEEPEST = 100
/** Lines, and items in brackets. What is shorter than eight characters on average holds no names. */
const MOST_ITEMS = 500_000
/** Lexemes of the package that stand for no character of the text: begin of a document, end of a flow error, scalar. */
const MARKS = ['\u0002', '\u0018', '\u001f']

/** What a {@link Composer} calls for each of its errors; its errors have no bound, and a stack trace each. */
interface Complaining {
  onError: (source: CST.Token | number | readonly number[], code: string, message: string) => void
}

/** Characters of what is said of one mistake. */
const LONGEST = 500
/** What may not go from a file into a log or on to a terminal. */
const UNPRINTABLE = /[\p{Cc}\p{Bidi_Control}\u2028\u2029]+/gu

class TooManyMistakes extends Error {}

/**
 * A YAML 1.2 file, read as a person wrote it: every mistake is kept with its place, and all of them are thrown together.
 * The yaml package parses; its own conversion to objects would lose the places and expand aliases unchecked.
 */
export class YamlReader {
  readonly root: Value
  private readonly mistakes: { place: Place; what: string }[] = []
  private notKept = 0
  private readonly lines = new LineCounter()
  private readonly targets = new Map<Alias, Node | undefined>()
  private values = 0

  /**
   * @param filename for the messages.
   * @throws {InputError} the text is no YAML.
   */
  constructor(
    text: string,
    private readonly filename: string,
  ) {
    const document = this.parse(text)
    this.throwMistakes()
    this.findTargets(document)
    this.root = { node: document.contents, place: { line: 1, column: 1 } }
  }

  /** Notes a mistake: what is wrong, the value, what to do. */
  mistake(place: Place, what: string): void {
    if (this.mistakes.length < MOST_KEPT) this.mistakes.push({ place, what })
    else this.notKept++
  }

  /** Notes what `read` throws for people, and goes on; `undefined` then. */
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
    const sorted = [...this.mistakes].sort(
      (a, b) => a.place.line - b.place.line || a.place.column - b.place.column,
    )
    const lines = sorted
      .slice(0, MOST_MISTAKES)
      .map(({ place, what }) => atPlace(this.filename, place, what))
    const more = sorted.length + this.notKept - lines.length
    if (more > 0) lines.push(`${this.filename}: and ${more} more mistakes`)
    throw new FileMistakes(lines.join('\n'))
  }

  /** The entries of a mapping, none where the value is empty. Doubled and unknown keys are mistakes. */
  mapping(value: Value, what: string, known?: readonly string[]): Entry[] {
    const node = this.resolve(value)
    if (node === null) return []
    if (!isMap(node)) {
      this.mistake(value.place, `${what} must be a mapping (key: value), not ${kindOf(node)}`)
      return []
    }
    const entries = new Map<string, Entry>()
    for (const pair of node.items) {
      const keyNode = pair.key as Node
      const keyPlace = this.placeOf(keyNode)
      const key = isScalar(keyNode) ? String(keyNode.value) : ''
      const earlier = entries.get(key)
      if (earlier) {
        this.mistake(
          keyPlace,
          `${what} has the key ${quote(key)} twice, first in line ${earlier.keyPlace.line}: keep one`,
        )
      } else if (known && !known.includes(key)) {
        this.mistake(keyPlace, `${what} has no key ${quote(key)}: use ${known.join(', ')}`)
      } else {
        entries.set(key, {
          key,
          keyPlace,
          value: this.valueOf(pair.value as Node | null, keyPlace),
        })
      }
    }
    return [...entries.values()]
  }

  /** The items of a list, none where the value is empty. */
  list(value: Value, what: string): Value[] {
    const node = this.resolve(value)
    if (node === null) return []
    if (!isSeq(node)) {
      this.mistake(value.place, `${what} must be a list (- item), not ${kindOf(node)}`)
      return []
    }
    return node.items.map((item) => this.valueOf(item as Node | null, value.place))
  }

  /** A text; a number counts as it is written. */
  text(value: Value, what: string): string | undefined {
    const node = this.resolve(value)
    if (isScalar(node)) {
      if (typeof node.value === 'string') return node.value
      if (typeof node.value === 'number' && node.source !== undefined) return node.source
    }
    if (this.isUnresolved(value)) return undefined
    this.mistake(value.place, `${what} must be a text, not ${kindOf(node)}${quotesHelp(node)}`)
    return undefined
  }

  /** `true` or `false`. */
  flag(value: Value, what: string): boolean | undefined {
    const node = this.resolve(value)
    if (isScalar(node) && typeof node.value === 'boolean') return node.value
    if (this.isUnresolved(value)) return undefined
    this.mistake(value.place, `${what} must be true or false, not ${kindOf(node)}`)
    return undefined
  }

  /** Whether the value is a mapping, be it by an alias. */
  isMapping(value: Value): boolean {
    return isMap(isAlias(value.node) ? this.targets.get(value.node) : value.node)
  }

  isEmpty(value: Value): boolean {
    return value.node === null || (isScalar(value.node) && value.node.value === null)
  }

  /**
   * As the package's parseDocument, but it stops where a person has enough to mend: a megabyte of brackets or commas
   * would make millions of errors, and take gigabytes.
   */
  private parse(text: string): Document {
    // Doubled keys are ours to check, in linear time, and named with their place.
    const composer = new Composer({ stringKeys: true, uniqueKeys: false, logLevel: 'error' })
    ;(composer as unknown as Complaining).onError = (source, _code, message) =>
      this.complain(offsetOf(source), message)
    let document: Document | undefined
    try {
      for (const each of composer.compose(this.tokens(text), true, text.length)) {
        if (document) this.complain(each.range[0], 'there are multiple documents: keep one')
        document ??= each
      }
      for (const { pos, message } of document?.errors ?? []) this.complain(pos[0], message)
    } catch (error) {
      if (!(error instanceof TooManyMistakes)) throw error
      this.throwMistakes()
    }
    return document!
  }

  private *tokens(text: string): Generator<CST.Token> {
    const parser = new Parser(this.lines.addNewLine)
    this.lines.addNewLine(0)
    for (const lexeme of this.lexemes(text)) yield* this.withoutErrors(parser.next(lexeme))
    yield* this.withoutErrors(parser.end())
  }

  private *withoutErrors(tokens: Iterable<CST.Token>): Generator<CST.Token> {
    for (const token of tokens) {
      if (token.type !== 'error') yield token
      else this.complain(token.offset, `${token.message}: ${quote(token.source)}`)
    }
  }

  /** Stops before what is huge is built: too many items, or too many levels, by brackets or in one line (`- - -`). */
  private *lexemes(text: string): Generator<string> {
    let offset = 0
    let brackets = 0
    let indicators = 0
    let items = 0
    for (const lexeme of new Lexer().lex(text)) {
      if (lexeme === '[' || lexeme === '{') brackets++
      else if (lexeme === ']' || lexeme === '}') brackets--
      else if (lexeme === '\n') indicators = 0
      else if (brackets === 0 && /^[-?:]$/.test(lexeme)) indicators++
      if (lexeme === '\n' || lexeme === ',') items++
      if (brackets > DEEPEST || indicators > DEEPEST) this.giveUp(offset, 'is nested too deeply')
      if (items > MOST_ITEMS) {
        this.giveUp(
          offset,
          `has more than ${MOST_ITEMS} lines and items in brackets: split the file`,
        )
      }
      if (!MARKS.includes(lexeme)) offset += lexeme.length
      yield lexeme
    }
  }

  /** @throws {TooManyMistakes} */
  private giveUp(offset: number, what: string): never {
    this.mistake(this.placeAt(offset), what)
    throw new TooManyMistakes()
  }

  /** @throws {TooManyMistakes} where there are enough of them. */
  private complain(offset: number, message: string): void {
    // The package turns what is thrown here into an error of each level above.
    if (this.mistakes.length >= MOST_MISTAKES) throw new TooManyMistakes()
    const what = message.includes('call stack') ? 'is nested too deeply' : message
    this.mistake(this.placeAt(offset), what)
  }

  /** `null` for an empty value, and for an alias that stands for nothing. */
  private resolve({ node, place }: Value): Node | null {
    if (++this.values > MOST_VALUES) {
      throw new InputError(
        `${this.filename}: holds more than ${MOST_VALUES} values with its aliases expanded: use fewer aliases`,
      )
    }
    let target = node
    if (isAlias(node)) {
      target = this.targets.get(node) ?? null
      if (target === null) {
        this.mistake(
          place,
          `*${node.source} stands for an anchor that is not there: a text that begins with * must be in quotes, '*${node.source}'`,
        )
      }
    }
    return isScalar(target) && target.value === null ? null : target
  }

  private isUnresolved({ node }: Value): boolean {
    return isAlias(node) && this.targets.get(node) === undefined
  }

  /** For each alias the node of that anchor before it. */
  private findTargets(document: Document): void {
    const anchors = new Map<string, Node>()
    visit(document, {
      Alias: (_key, node) => void this.targets.set(node, anchors.get(node.source)),
      Value: (_key, node) => {
        if (node.anchor) anchors.set(node.anchor, node)
      },
    })
  }

  private valueOf(node: Node | null, fallback: Place): Value {
    const empty = node === null || (isScalar(node) && node.value === null)
    return { node, place: empty ? fallback : this.placeOf(node) }
  }

  private placeOf(node: Node): Place {
    return this.placeAt(node.range?.[0] ?? 0)
  }

  private placeAt(offset: number): Place {
    const { line, col } = this.lines.linePos(offset)
    return { line: Math.max(line, 1), column: Math.max(col, 1) }
  }
}

function offsetOf(source: CST.Token | number | readonly number[]): number {
  if (typeof source === 'number') return source
  return 'offset' in source ? source.offset : source[0]!
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

function kindOf(node: Node | null | undefined): string {
  if (isMap(node)) return 'a mapping'
  if (isSeq(node)) return 'a list'
  if (isScalar(node) && node.value !== null) return quote(node.source ?? '')
  return 'empty'
}

function quotesHelp(node: Node | null): string {
  return isScalar(node) && node.value !== null ? ': put it in quotes' : ''
}
