import { isDeepStrictEqual } from 'node:util'
import { messageOf } from '../base/errors'
import type { IniLines } from './ini-lines'
import {
  differs,
  iniSections,
  type Contradiction,
  type Entry,
  type IniKey,
  type IniSection,
  type Place,
  type Sections,
} from './section'
import { strayLines, type RawIni, type Stray } from './stray-lines'

/** Something that is wrong in the ini file. */
export interface ConfigError {
  /** `undefined` where no single line is to blame. */
  readonly line: number | undefined
  readonly section: string
  /** Section and key, the value unless it is secret, what is wrong or what to do. */
  readonly message: string
  /** What is in effect until it is corrected. */
  readonly instead: string
}

/** The value of a key that is in effect. */
export interface Setting {
  /** Parsed. */
  readonly value: unknown
  /** As haraka-config gives it; `undefined`: it is the default. */
  readonly given: unknown
}

/** By `[section] key`. */
export type Settings = ReadonlyMap<string, Setting>

/** The settings of a process that reads its ini file again. */
export interface Running {
  /** Those that it has started with. */
  readonly started: Settings
  /** Those in effect. */
  readonly now: Settings
}

/** Where values come from. */
export interface Source {
  readonly raw: RawIni
  readonly place: Place
  /** `undefined` where they come from no file. */
  readonly lines?: IniLines | undefined
  /** `undefined` when the process starts. */
  readonly running?: Running | undefined
}

interface Mistake {
  readonly line: number | undefined
  readonly section: string
  readonly message: string
  /** Keys that have another value in effect than the file says. */
  readonly keys: Set<IniKey>
  /** Says what is in effect, where the keys do not. */
  instead: string | undefined
}

/**
 * Decides for each key what is in effect: what the file says; where that is wrong, the previous value; when the process
 * starts, the default.
 */
export class InEffect {
  readonly settings = new Map<string, Setting>()
  /** Keys, or whole sections as `[section]`, that the file changes and that need a restart. */
  readonly restart: readonly string[]
  private readonly mistakes: Mistake[] = []
  private readonly sections: readonly IniSection[]
  private readonly strays: readonly Stray[]

  constructor(
    sections: Sections,
    private readonly source: Source,
  ) {
    this.sections = iniSections(sections)
    const known = new Map(
      this.sections.map(({ name, keys }) => [name, keys.map((key) => key.name)]),
    )
    this.strays = strayLines(known, source.raw, source.lines)
    for (const stray of this.strays) this.tellStray(stray)
    for (const section of this.sections) this.readSection(section)
    for (const section of this.sections) this.checkContradictions(section)
    this.restart = this.keepStarted()
  }

  /** The settings in effect, by section and property. */
  config(): Record<string, Record<string, unknown>> {
    return Object.fromEntries(
      this.sections.map((section) => [section.property, this.settingsOf(section)]),
    )
  }

  /** In the order of the file. */
  errors(): ConfigError[] {
    return this.mistakes
      .map(({ keys, instead, ...rest }) => ({
        ...rest,
        instead: instead ?? this.insteadOf([...keys]),
      }))
      .sort((a, b) => (a.line ?? Infinity) - (b.line ?? Infinity))
  }

  private tellStray({ section, line, message, id, instead }: Stray): void {
    const keys = this.sections.flatMap((each) => each.keys).filter((key) => key.id === id)
    this.tell(section, line, message, keys, instead)
  }

  private readSection({ entries }: IniSection): void {
    for (const { key, file } of entries) {
      if (!file || this.read(file) === undefined) this.read(key)
    }
  }

  /** Returns the value in effect. */
  private read(key: IniKey): unknown {
    const { raw, place } = this.source
    const given = raw[key.section]?.[key.name]
    let setting: Setting
    if (given === undefined) setting = this.missing(key)
    else {
      try {
        setting = { value: key.parse(given, place), given }
      } catch (error) {
        setting = this.previous(key)
        this.tell(key.section, this.lineOf(key), `${key.id}: ${messageOf(error)}${hint(given)}`, [
          key,
        ])
      }
    }
    this.settings.set(key.id, setting)
    return setting.value
  }

  /** Of a key that the file does not set: the default, unless a stray line may have been meant to set it. */
  private missing(key: IniKey): Setting {
    const previous = this.previous(key)
    const isBroken = this.strays.some(({ id }) => id === key.id)
    if (isBroken) return previous
    const byDefault = this.byDefault(key)
    if (!this.isDoubtful(key) || isDeepStrictEqual(previous.value, byDefault.value))
      return byDefault
    const message = `${key.id}: is not set any more, and a line above may have been meant for it`
    this.tell(key.section, undefined, message, [key])
    return previous
  }

  private isDoubtful({ section }: IniKey): boolean {
    const isMissing = !this.source.lines?.sections.has(section)
    return this.strays.some(
      (stray) =>
        (stray.doubt === 'section' && stray.section === section) ||
        (stray.doubt === 'file' && isMissing),
    )
  }

  /**
   * A section with contradictions keeps its previous settings; when the process starts, the keys that contradict each
   * other have their defaults. Where one of them is wrong by itself, that is told alone.
   */
  private checkContradictions(section: IniSection): void {
    const found = section.contradictions?.(this.settingsOf(section)) ?? []
    if (found.length === 0) return
    const told = found.map((each) => this.tellContradiction(section, each))
    const { running } = this.source
    const keys = running ? section.keys : found.flatMap((each) => this.keysOf(section, each))
    for (const key of keys) this.settings.set(key.id, this.previous(key))
    for (const mistake of told) {
      if (running) mistake.instead = `all of [${section.name}] stays as it was`
      else for (const key of keys) mistake.keys.add(key)
    }
  }

  private tellContradiction(section: IniSection, contradiction: Contradiction): Mistake {
    const keys = this.keysOf(section, contradiction)
    const earlier = this.mistakes.find((each) => keys.some((key) => each.keys.has(key)))
    if (earlier) return earlier
    const line = keys.map((key) => this.lineOf(key)).find((each) => each !== undefined)
    return this.tell(section.name, line, `[${section.name}] ${contradiction.message}`)
  }

  /** The keys that were read: where a file has a secret, the key beside it was not. */
  private keysOf(section: IniSection, { keys }: Contradiction): IniKey[] {
    const named = keys.flatMap((name) => section.keys.filter((key) => key.name === name))
    return named.filter(({ id }) => this.settings.has(id))
  }

  /** Keeps what the process can change by a restart only; returns what the file has otherwise. */
  private keepStarted(): string[] {
    const started = this.source.running?.started
    if (!started) return []
    const changed = new Set<string>()
    for (const { name, entries, needsRestart } of this.sections) {
      for (const entry of entries) {
        const isChange = entry.needsRestart ?? (needsRestart ? differs : undefined)
        if (!isChange?.(valueOf(entry, started), valueOf(entry, this.settings))) continue
        changed.add(needsRestart ? `[${name}]` : entry.key.id)
        for (const { id } of entry.file ? [entry.file, entry.key] : [entry.key]) {
          const setting = started.get(id)
          if (setting) this.settings.set(id, setting)
          else this.settings.delete(id)
        }
      }
    }
    return [...changed]
  }

  private settingsOf({ entries }: IniSection): Record<string, unknown> {
    return Object.fromEntries(
      entries.map((entry) => [entry.property, valueOf(entry, this.settings)]),
    )
  }

  private tell(
    section: string,
    line: number | undefined,
    message: string,
    keys: readonly IniKey[] = [],
    instead?: string,
  ): Mistake {
    const mistake: Mistake = { section, line, message, keys: new Set(keys), instead }
    this.mistakes.push(mistake)
    return mistake
  }

  private previous(key: IniKey): Setting {
    return this.source.running?.now.get(key.id) ?? this.byDefault(key)
  }

  private byDefault({ parse, fallback }: IniKey): Setting {
    return { value: parse(fallback, this.source.place), given: undefined }
  }

  private lineOf({ section, name }: IniKey): number | undefined {
    return this.source.lines?.sections.get(section)?.keys.get(name)
  }

  private insteadOf(keys: readonly IniKey[]): string {
    const kept = keys.map((key) => this.described(key)).join(', ')
    if (this.source.running) return `${kept} stays in effect`
    const isDefault = keys.every(({ id }) => this.settings.get(id)?.given === undefined)
    if (!isDefault) return `${kept} is in effect`
    return `the ${keys.length === 1 ? 'default is' : 'defaults are'} in effect: ${kept}`
  }

  /** As in an ini file. */
  private described({ id, name, fallback, secret }: IniKey): string {
    const given = (this.settings.get(id)?.given ?? fallback) as string | string[]
    const text = [given].flat().join(', ')
    if (text === '') return `${name}=(empty)`
    return secret ? `the former ${name}` : `${name}=${text}`
  }
}

function valueOf({ key, file }: Entry, settings: Settings): unknown {
  return (file && settings.get(file.id)?.value) ?? settings.get(key.id)?.value
}

/** What people bring along from other formats. */
function hint(given: unknown): string {
  if (typeof given !== 'string') return ''
  if (/^(["']).*\1$/.test(given)) return '; values stand without quotes'
  if (/\s[;#]/.test(given)) return '; a comment needs a line of its own'
  return ''
}
