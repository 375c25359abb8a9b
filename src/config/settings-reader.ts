import { isDeepStrictEqual } from 'node:util'
import { messageOf } from '../base/errors'
import type { Value } from './haraka-files'
import type { IniLines } from './ini-lines'
import {
  differs,
  isNamed,
  nameOf,
  type Contradiction,
  type IniKey,
  type NamedSections,
  type Place,
  type Section,
  type SettingsOf,
} from './section'
import { membersOf, strayLines, type RawIni, type Stray } from './stray-lines'

/** Something that is wrong in the ini file. */
export interface ConfigError {
  /** `undefined` where no single line is to blame. */
  readonly line: number | undefined
  /** The section that it is in; then others that it may be about, by their names in the file. */
  readonly sections: readonly [string, ...string[]]
  /** Names of the keys that have another value in effect than the file says. Empty: any key of these sections may. */
  readonly keys: readonly string[]
  /** Section and key, the value unless it is secret, what is wrong or what to do. */
  readonly message: string
  /** What is in effect until it is corrected. */
  readonly instead: string
}

/** The value of a key that is in effect. */
interface Setting {
  /** Name of the section. */
  readonly section: string
  /** Parsed. */
  readonly value: unknown
  /** As haraka-config gives it; `undefined`: it is the default. */
  readonly given: unknown
}

/** By {@link IniKey.id}. */
export type Settings = ReadonlyMap<string, Setting>

/** The sections of these settings, of named ones those that there are, by their names. */
export function sectionsOf(sections: readonly Section[], settings: Settings): Section[] {
  const names = [...new Set([...settings.values()].map(({ section }) => section))].sort()
  return sections.flatMap((each) =>
    isNamed(each) ? names.flatMap((name) => each.member(name) ?? []) : each,
  )
}

/** The settings of a process that reads its ini file again. */
export interface Running {
  /** Those that it has started with. */
  readonly started: Settings
  /** Those in effect. */
  readonly now: Settings
}

/** Where the values come from. */
export interface Source extends Place {
  readonly raw: RawIni
  /** `undefined` where they come from no file. */
  readonly lines: IniLines | undefined
  /** `undefined` when the process starts. */
  readonly running: Running | undefined
}

/** The sections, by their names in the configuration. */
type Sections = Readonly<Record<string, Section>>

interface Mistake extends Omit<ConfigError, 'instead' | 'keys'> {
  keys: readonly IniKey[]
  /** Says what is in effect, where the keys do not. */
  instead: string | undefined
}

/**
 * Decides for each key what is in effect: what the file says; where that is wrong, the previous value; when the process
 * starts, the default.
 */
export class SettingsReader<S extends Sections> {
  /** What is in effect. */
  readonly settings = new Map<string, Setting>()
  /** Keys, and whole sections as `[section]`, that the file changes and that need a restart. */
  readonly restart: readonly string[]
  /** All sections, of named ones those that are in use. */
  private readonly inUse: readonly Section[]
  private readonly strays: readonly Stray[]
  private readonly mistakes: Mistake[]

  constructor(
    private readonly sections: S,
    private readonly source: Source,
  ) {
    const declared = Object.values(sections)
    this.strays = strayLines(declared, source.raw, source.lines)
    const all = declared.flatMap((each) => (isNamed(each) ? this.membersOf(each) : each))
    this.inUse = all
    this.mistakes = this.strays.map(({ meant, ...stray }) => ({
      ...stray,
      keys: typeof meant === 'object' ? [meant] : [],
    }))
    for (const { keys } of all) for (const key of keys) this.read(key)
    for (const section of all) this.checkContradictions(section)
    this.restart = all.flatMap((section) => this.keepStarted(section))
  }

  get config(): { readonly [P in keyof S]: SettingsOf<S[P]> } {
    const config = Object.entries(this.sections).map(([property, section]) => [
      property,
      isNamed(section) ? this.settingsOfEach(section) : this.settingsOf(section),
    ])
    return Object.fromEntries(config) as typeof this.config
  }

  /** In the order of the file. */
  get errors(): ConfigError[] {
    return this.mistakes
      .map(({ keys, instead = this.insteadOf(keys), ...mistake }) => ({
        ...mistake,
        keys: keys.map(({ name }) => name),
        instead,
      }))
      .sort((a, b) => (a.line ?? Infinity) - (b.line ?? Infinity))
  }

  /** Those in the file, and earlier ones that a damaged line may have begun: their settings stay. */
  private membersOf(named: NamedSections): Section[] {
    const { raw, lines, running } = this.source
    const there = membersOf(named, raw, lines)
    if (!running || !this.strays.some(({ meant }) => meant === 'anything')) return there
    const before = sectionsOf([named], running.now)
    return [...there, ...before.filter(({ name }) => there.every((each) => each.name !== name))]
  }

  private settingsOfEach(named: NamedSections): Map<string, Record<string, unknown>> {
    const members = this.inUse.filter(({ name }) => named.member(name))
    return new Map(members.map((each) => [nameOf(named.word, each.name)!, this.settingsOf(each)]))
  }

  private settingsOf({ keys }: Section): Record<string, unknown> {
    const settings: Record<string, unknown> = {}
    // A key with the name of a file comes after the one that it wins over.
    for (const { id, property } of keys) {
      settings[property] = this.settings.get(id)?.value ?? settings[property]
    }
    return settings
  }

  /** Returns the value; `undefined` where the key is not read, since a file wins over it. */
  private read(key: IniKey): unknown {
    if (key.file && this.read(key.file) !== undefined) return undefined
    const setting = this.settings.get(key.id) ?? this.settingOf(key)
    this.settings.set(key.id, setting)
    return setting.value
  }

  private settingOf(key: IniKey): Setting {
    const given = this.source.raw[key.section]?.[key.name]
    if (given === undefined) return this.missing(key)
    try {
      return { section: key.section, value: key.parse(given, this.source), given }
    } catch (error) {
      this.tell([key], `${key.id}: ${messageOf(error)}${hint(given)}`, this.lineOf(key))
      return this.previous(key)
    }
  }

  /** Of a key that the file does not set: the default, unless a stray line may have been meant to set it. */
  private missing(key: IniKey): Setting {
    const previous = this.previous(key)
    if (this.strays.some(({ meant }) => meant === key)) return previous
    const byDefault = this.byDefault(key)
    if (isDeepStrictEqual(previous.value, byDefault.value) || !this.mayBeMeant(key))
      return byDefault
    this.tell([key], `${key.id}: is not set any more, and a line above may have been meant for it`)
    return previous
  }

  private mayBeMeant({ section }: IniKey): boolean {
    const isThere = this.source.lines?.sections.has(section) ?? false
    return this.strays.some((stray) =>
      stray.meant === 'section'
        ? stray.sections[0] === section
        : stray.meant === 'anything' && !isThere,
    )
  }

  /**
   * A section with contradictions keeps its previous settings; when the process starts, the keys that contradict each
   * other have their defaults. Where one of them is wrong by itself, only that is reported.
   */
  private checkContradictions(section: Section): void {
    const { running } = this.source
    const found = [...(section.contradictions?.(this.settingsOf(section)) ?? [])]
    const told = found.map((each) => this.tellContradiction(section, each))
    const keys = found.flatMap((each) => this.keysOf(section, each))
    const isReset = ({ property }: IniKey): boolean =>
      keys.some((key) => running !== undefined || key.property === property)
    for (const key of section.keys.filter(isReset)) this.settings.set(key.id, this.previous(key))
    for (const mistake of told) {
      if (running) mistake.instead = this.before(section)
      else mistake.keys = [...new Set([...mistake.keys, ...keys])]
    }
  }

  private before({ name, keys }: Section): string {
    const isNew = keys.every(({ id }) => !this.source.running?.now.has(id))
    return isNew ? `[${name}] is not in effect` : `all of [${name}] stays as it was`
  }

  private tellContradiction(section: Section, contradiction: Contradiction): Mistake {
    const keys = this.keysOf(section, contradiction)
    const earlier = this.mistakes.find((each) => each.keys.some((key) => keys.includes(key)))
    if (earlier) return earlier
    const line = keys.map((key) => this.lineOf(key)).find((each) => each !== undefined)
    return this.tell([], `[${section.name}] ${contradiction.message}`, line, section.name)
  }

  /** The keys that were read: a key beside a file with its secret was not. */
  private keysOf({ keys }: Section, contradiction: Contradiction): IniKey[] {
    const named = contradiction.keys.flatMap((name) => keys.filter((key) => key.name === name))
    return named.filter(({ id }) => this.settings.has(id))
  }

  private tell(
    keys: readonly IniKey[],
    message: string,
    line?: number,
    section = keys[0]!.section,
  ): Mistake {
    const mistake: Mistake = { sections: [section], line, message, keys, instead: undefined }
    this.mistakes.push(mistake)
    return mistake
  }

  /** Keeps the settings that only a restart may change; returns what the file has otherwise. */
  private keepStarted({ name, keys, needsRestart }: Section): string[] {
    const { running } = this.source
    if (!running) return []
    const { started, now } = running
    const changed = keys.filter(
      ({ id, needsRestart: isChange = needsRestart ? differs : undefined }) =>
        isChange?.(started.get(id)?.value, this.settings.get(id)?.value),
    )
    for (const { id } of changed) {
      const setting = now.get(id)
      if (setting) this.settings.set(id, setting)
      else this.settings.delete(id)
    }
    const names = changed.map(({ id }) => (needsRestart ? `[${name}]` : id))
    return [...new Set(names)]
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
    const given = this.settings.get(id)?.given ?? fallback
    const text = [given as Value].flat().join(', ')
    if (text === '') return `${name}=(empty)`
    return secret ? `the former ${name}` : `${name}=${text}`
  }

  private previous(key: IniKey): Setting {
    return this.source.running?.now.get(key.id) ?? this.byDefault(key)
  }

  private byDefault({ section, parse, fallback }: IniKey): Setting {
    return { section, value: parse(fallback, this.source), given: undefined }
  }

  private lineOf({ section, name }: IniKey): number | undefined {
    return this.source.lines?.sections.get(section)?.keys.get(name)
  }
}

/** What people bring along from other formats. */
function hint(given: unknown): string {
  if (typeof given !== 'string') return ''
  if (/^(["']).*\1$/.test(given)) return '; write values without quotes'
  if (/\s[;#]/.test(given)) return '; a comment needs a line of its own'
  return ''
}
