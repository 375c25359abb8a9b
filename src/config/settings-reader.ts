import { isDeepStrictEqual } from 'node:util'
import { messageOf } from '../base/errors'
import { keyId, type IniLines, type LineFault } from './ini-lines'

/** What haraka-config gives for an ini file: sections of strings, numbers (digits become one) and arrays. */
export type RawIni = Readonly<Record<string, Readonly<Record<string, unknown>> | undefined>>

/** Something that is wrong in the ini file. */
export interface ConfigError {
  /** `undefined` where no line of its own is to blame. */
  readonly line: number | undefined
  readonly section: string
  /** Section and key, the value unless it is secret, what is wrong or what to do. */
  readonly message: string
  /** What is in effect until it is corrected. */
  readonly instead: string
}

/** A key of the ini file. */
export interface Setting {
  /** What is in effect, parsed. */
  readonly value: unknown
  /** The same as haraka-config gives it; `undefined`: it is the default. */
  readonly given: unknown
  /** The default, parsed. */
  readonly fallback: unknown
}

/** By {@link keyId}. */
export type Settings = ReadonlyMap<string, Setting>

/** What a process goes by while it reads its ini file again. */
export interface Running {
  /** What it has started with. */
  readonly started: Settings
  /** What is in effect. */
  readonly now: Settings
}

/** What there is to know of keys, beside their parsers. */
export interface KnownKeys {
  /** The keys of each section. */
  readonly keys: Readonly<Record<string, readonly string[]>>
  /**
   * Keys by {@link keyId}, or whole sections as `[section]`, that a process reads at its start only: whether another value
   * needs a restart.
   */
  readonly restart: Readonly<Record<string, (started: unknown, now: unknown) => boolean>>
  /** Keys whose value no message repeats, by {@link keyId}. */
  readonly secret: readonly string[]
  /** The shipped ini file: the defaults as a person writes them. */
  readonly shipped: () => RawIni
}

/** Reads one key. */
export type Read = <T>(section: string, key: string, fallback: T, parse: (value: unknown) => T) => T

/** Keys of a section that do not fit together. */
export interface Contradiction {
  /** The first is the one to correct, if the file has it. */
  readonly keys: readonly string[]
  /** Behind the section. */
  readonly message: string
}

interface Mistake {
  readonly line: number | undefined
  readonly section: string
  readonly message: string
  /** Keys that are in effect with another value than the file has, by {@link keyId}. */
  readonly ids: Set<string>
  /** Where that says it better than the keys. */
  instead: string | undefined
}

/**
 * Decides for each key of the ini file what is in effect: what the file says; where that is wrong, what was in effect
 * before; at the start, the default.
 */
export class SettingsReader {
  readonly settings = new Map<string, Setting>()
  private readonly mistakes: Mistake[] = []
  /** Keys on lines that were not understood, by {@link keyId}. */
  private readonly broken = new Set<string>()
  /** Sections with a line that was not understood: it may have been meant for a key that is missing. */
  private readonly doubtful = new Set<string>()
  /** Whether a section was not understood: it may have been meant for one that is missing. */
  private sectionsDoubtful = false

  /**
   * @param lines `undefined` where the values come from no file.
   * @param running `undefined` at the start.
   */
  constructor(
    private readonly raw: RawIni,
    private readonly known: KnownKeys,
    private readonly lines?: IniLines,
    private readonly running?: Running,
  ) {
    for (const fault of lines?.faults ?? []) this.checkLine(fault)
    for (const [section, keys] of this.names()) this.checkNames(section, keys)
  }

  readonly read: Read = (section, key, fallback, parse) => {
    const id = keyId(section, key)
    const given = this.raw[section]?.[key]
    if (given === undefined) {
      this.settings.set(id, this.missing(section, key, fallback))
    } else {
      try {
        this.settings.set(id, { value: parse(given), given, fallback })
      } catch (error) {
        this.settings.set(id, this.before(id, fallback))
        const message = `${id}: ${messageOf(error)}${hint(given)}`
        this.tell(section, this.lineOf(section, key), message, [id])
      }
    }
    return this.inEffect(section, key, fallback, parse)
  }

  /** What is in effect, once all keys were read. */
  readonly inEffect: Read = <T>(section: string, key: string, fallback: T) => {
    const setting = this.settings.get(keyId(section, key))
    return setting ? (setting.value as T) : fallback
  }

  /**
   * Of a section with contradictions everything stays as it was; at the start, the keys that contradict each other have
   * their defaults. Where one of them is wrong by itself, that is told alone.
   */
  contradict(section: string, found: readonly Contradiction[]): void {
    if (found.length === 0) return
    const told = found.map((each) => this.mistakeOf(section, each))
    const ids = this.running
      ? [...this.running.now.keys(), ...this.settings.keys()].filter((id) =>
          id.startsWith(keyId(section, '')),
        )
      : found.flatMap(({ keys }) => this.idsOf(section, keys))
    for (const id of ids) this.settings.set(id, this.before(id, this.settings.get(id)?.fallback))
    for (const mistake of told) {
      if (this.running) mistake.instead = `all of [${section}] stays as it was`
      else for (const id of ids) mistake.ids.add(id)
    }
  }

  /**
   * Leaves as they are what a process goes by from its start to its end.
   *
   * @returns what the file has otherwise, as in {@link KnownKeys.restart}.
   */
  keepStarted(): string[] {
    const changed = new Set<string>()
    for (const [id, { value }] of this.settings) {
      const started = this.running?.started.get(id)
      const [name, needsRestart] =
        Object.entries(this.known.restart).find(([each]) => `${id} `.startsWith(`${each} `)) ?? []
      if (!started || name === undefined || !needsRestart?.(started.value, value)) continue
      changed.add(name)
      this.settings.set(id, started)
    }
    return [...changed]
  }

  /** In the order of the file. */
  errors(): ConfigError[] {
    return this.mistakes
      .map(({ line, section, message, ids, instead }) => ({
        line,
        section,
        message,
        instead: instead ?? this.insteadOf([...ids]),
      }))
      .sort((a, b) => (a.line ?? Infinity) - (b.line ?? Infinity))
  }

  private checkLine({ line, section, key, mended, message }: LineFault): void {
    if (mended) {
      this.sectionsDoubtful = true
      this.tell(section, line, message, [], `it is read as [${section}]`)
    } else if (key !== undefined && this.keysOf(section)?.includes(key)) {
      const id = keyId(section, key)
      this.broken.add(id)
      this.tell(section, line, `${id}: ${message}`, [id])
    } else {
      this.doubtful.add(section)
      this.tell(section, line, message, [], 'the line has no effect')
    }
  }

  private checkNames(section: string, keys: readonly string[]): void {
    const known = this.keysOf(section)
    if (!known) {
      this.checkSection(section)
      return
    }
    for (const key of keys) {
      if (known.includes(key)) continue
      this.doubtful.add(section)
      const there = this.whereIs(key, known)
      const message = `${keyId(section, key)}: no such key; ${there}`
      this.tell(section, this.lineOf(section, key), message, [], 'the line has no effect')
    }
  }

  /** What to do about a key that its section does not have. */
  private whereIs(key: string, known: readonly string[]): string {
    const meant = likely(key, known)
    if (meant !== undefined) return `write ${meant}`
    const sections = Object.keys(this.known.keys).filter((each) => this.keysOf(each)!.includes(key))
    if (sections.length === 0) return `there are ${known.join(', ')}`
    return `it belongs below ${sections.map((each) => `[${each}]`).join(' or ')}`
  }

  private checkSection(section: string): void {
    this.sectionsDoubtful = true
    const known = Object.keys(this.known.keys)
    const meant = likely(section, known)
    const there = meant === undefined ? `there are ${known.join(', ')}` : `write [${meant}]`
    const line = this.lines?.sections.get(section)?.line
    const message = `[${section}]: no such section; ${there}`
    this.tell(meant ?? section, line, message, [], 'its keys have no effect')
  }

  private keysOf(section: string): readonly string[] | undefined {
    return Object.hasOwn(this.known.keys, section) ? this.known.keys[section] : undefined
  }

  private missing(section: string, key: string, fallback: unknown): Setting {
    const id = keyId(section, key)
    const before = this.before(id, fallback)
    if (this.broken.has(id)) return before
    const isDoubtful =
      this.doubtful.has(section) || (this.sectionsDoubtful && !this.lines?.sections.has(section))
    if (!isDoubtful || isDeepStrictEqual(before.value, fallback)) return byDefault(fallback)
    const message = `${id}: is not set any more, and a line above may have been meant for it`
    this.tell(section, undefined, message, [id])
    return before
  }

  private mistakeOf(section: string, { keys, message }: Contradiction): Mistake {
    const ids = this.idsOf(section, keys)
    const earlier = this.mistakes.find((each) => ids.some((id) => each.ids.has(id)))
    if (earlier) return earlier
    const line = keys.map((key) => this.lineOf(section, key)).find((each) => each !== undefined)
    return this.tell(section, line, `[${section}] ${message}`)
  }

  private tell(
    section: string,
    line: number | undefined,
    message: string,
    ids: readonly string[] = [],
    instead?: string,
  ): Mistake {
    const mistake: Mistake = { section, line, message, ids: new Set(ids), instead }
    this.mistakes.push(mistake)
    return mistake
  }

  /** Of keys that were read: where a file has a secret, the key beside it is not. */
  private idsOf(section: string, keys: readonly string[]): string[] {
    return keys.map((key) => keyId(section, key)).filter((id) => this.settings.has(id))
  }

  private before(id: string, fallback: unknown): Setting {
    return this.running?.now.get(id) ?? byDefault(fallback)
  }

  /** The sections of the file and their keys; haraka-config leaves out some names, such as `__proto__`. */
  private names(): [string, string[]][] {
    if (!this.lines) {
      return Object.entries(this.raw).map(([section, keys]) => [section, Object.keys(keys ?? {})])
    }
    return [...this.lines.sections].map(([section, { keys }]) => [section, [...keys.keys()]])
  }

  private lineOf(section: string, key: string): number | undefined {
    return this.lines?.sections.get(section)?.keys.get(key)
  }

  private insteadOf(ids: readonly string[]): string {
    const kept = ids.map((id) => this.described(id)).join(', ')
    if (this.running) return `${kept} stays in effect`
    const isDefault = ids.every((id) => this.settings.get(id)!.given === undefined)
    if (!isDefault) return `${kept} is in effect`
    return `the ${ids.length === 1 ? 'default is' : 'defaults are'} in effect: ${kept}`
  }

  /** As in an ini file. */
  private described(id: string): string {
    const [, section = '', key = ''] = /^\[(.*)\] (.*)$/.exec(id)!
    const { given } = this.settings.get(id)!
    const value = (given ?? this.known.shipped()[section]?.[key] ?? '') as string | string[]
    const text = [value].flat().join(', ')
    if (text === '') return `${key}=(empty)`
    return this.known.secret.includes(id) ? `the former ${key}` : `${key}=${text}`
  }
}

function byDefault(fallback: unknown): Setting {
  return { value: fallback, given: undefined, fallback }
}

/** What people bring along from other formats. */
function hint(given: unknown): string {
  if (typeof given !== 'string') return ''
  if (/^(["']).*\1$/.test(given)) return '; values stand without quotes'
  if (/\s[;#]/.test(given)) return '; a comment needs a line of its own'
  return ''
}

/** The name that was meant, if only its spelling is another. */
function likely(name: string, known: readonly string[]): string | undefined {
  const plain = (text: string): string => text.toLowerCase().replace(/[^a-z]/g, '')
  return known.find((each) => plain(each) === plain(name))
}
