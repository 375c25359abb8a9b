import path from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { InputError } from '../base/errors'
import { readOwnedFile } from '../base/owned-file'
import type { Value } from './haraka-files'
import { keyId } from './ini-lines'
import { text } from './values'

// A section of the ini file is a table in the room that uses it. A line of the table is all there is to say about a key:
// the type of the setting, its default, and what to do about mistakes follow from it. What a key means to the operator is in
// `config/unregistered-domain.ini` only.

/** Where an ini file is, and who owns it. */
export interface Place {
  /** Haraka's config directory. Names of files are relative to it. */
  readonly directory: string
  /** uid of the owner, which decides what files the ini file may name ({@link readOwnedFile}). */
  readonly owner: number
}

/** Parses a value as haraka-config gives it: a string, a number (digits become one) or an array. @throws {InputError} */
type Parse<T> = (value: unknown, place: Place) => T

/** Parses what a file holds; its name is for messages. @throws {InputError} */
type ParseContent<T> = (file: string, content: string) => T

/** A line of a table. */
interface Key<T> {
  readonly parse: Parse<T>
  /** The default, as the shipped ini file has it. */
  readonly fallback: Value
  /** `site`: all hosts of one Redis need the same value. `host`: each may have its own. */
  readonly reach: 'site' | 'host'
  /** The name in the ini file. Absent: that of the property in snake case, so `refuseAt` is `refuse_at`. */
  readonly name?: string
  /** `value`: it is a secret; `file`: it names a file with one; `hidden`: messages do not repeat it. */
  readonly secret?: 'value' | 'file' | 'hidden'
  /** There is a second key, `NAME_file`. The content of the file that it names wins over the value of this key. */
  readonly inFile?: ParseContent<T>
  /** Whether a process that has started with one value needs a restart to use another. Absent: never. */
  readonly needsRestart?: (started: unknown, now: unknown) => boolean
}

type Options<T> = Omit<Key<T>, 'parse' | 'fallback' | 'reach'>

/** A key on which all hosts must agree: it decides about tenants, or about the content of Redis. */
export function site<T>(parse: Parse<T>, fallback: Value, options?: Options<T>): Key<T> {
  return { parse, fallback, reach: 'site', ...options }
}

/** A key of one host: about its network, its clients or its files. */
export function host<T>(parse: Parse<T>, fallback: Value, options?: Options<T>): Key<T> {
  return { parse, fallback, reach: 'host', ...options }
}

/** For {@link Key.needsRestart}: only the value at the start counts. */
export const differs = (started: unknown, now: unknown): boolean => !isDeepStrictEqual(started, now)

/**
 * For {@link Key.needsRestart}: turns on something that was off at the start. Its hooks are not registered then, and Haraka
 * sorts hooks only at its start (plugins.js, load_plugins): a later one would run after those of all other plugins.
 */
export const turnedOn =
  <T>(isOn: (value: T) => boolean): NonNullable<Key<T>['needsRestart']> =>
  (started, now) =>
    !isOn(started as T) && isOn(now as T)

/** A value that names a file, whose content is the setting; `undefined`: it names none. */
export function contentOf<T>(parse: ParseContent<T>): Parse<T | undefined> {
  return (value, { directory, owner }) => {
    const name = text(value)
    if (name === '') return undefined
    return parse(name, read(path.resolve(directory, name), owner))
  }
}

function read(file: string, owner: number): string {
  try {
    return readOwnedFile(file, owner).content.toString()
  } catch (error) {
    if (error instanceof InputError) throw error
    const { code } = error as NodeJS.ErrnoException
    const why = code === 'ENOENT' ? 'does not exist' : `cannot be read (${code})`
    throw new InputError(`${file} ${why}`)
  }
}

/** Keys of a section that contradict each other. */
export interface Contradiction {
  /** By their names in the ini file. Messages point to the first one that the file has. */
  readonly keys: readonly string[]
  /** Follows the name of the section. */
  readonly message: string
}

/** What holds for a section as a whole. */
interface Rules<T> {
  /** Every change needs a restart. */
  readonly needsRestart?: boolean
  contradictions?(settings: T): Iterable<Contradiction>
}

/** A key as it is in the ini file. */
export interface IniKey extends Omit<Key<unknown>, 'inFile'> {
  readonly section: string
  readonly name: string
  /** `[section] name` */
  readonly id: string
  /** The name of the setting in the code. */
  readonly property: string
  /** The key with the name of a file, whose content wins. */
  readonly file?: IniKey
}

/** A section, by its table. */
export interface Section<T = unknown> extends Rules<T> {
  readonly name: string
  /** In the order of the table. */
  readonly keys: readonly IniKey[]
}

/**
 * Sections `[WORD NAME]` that share a table: one for each NAME that the file has. As a section it is the pattern of them all,
 * `[WORD NAME]` itself, for messages.
 */
export interface NamedSections<T = unknown> extends Section<T> {
  readonly word: string
  /** What a NAME is, in words. */
  readonly rule: string
  /** The section that has this name in the file; `undefined`: it is none of these. */
  member(section: string): Section<T> | undefined
}

/** The settings of a section, by its table; of named sections those of each, by its NAME. */
export type SettingsOf<S> =
  S extends NamedSections<infer T>
    ? ReadonlyMap<string, Readonly<T>>
    : S extends Section<infer T>
      ? Readonly<T>
      : never

/** @param name the one in the ini file. */
export function section<T>(
  name: string,
  table: { readonly [P in keyof T]: Key<T[P]> },
  rules: Rules<T> = {},
): Section<T> {
  const lines = Object.entries<Key<unknown>>(table)
  return { ...rules, name, keys: lines.flatMap(([property, key]) => iniKeys(name, property, key)) }
}

const NAME = /^[a-z0-9][a-z0-9-]{0,30}$/

/**
 * @param word before each NAME. No name of another section begins with it and a blank.
 * @param reserved NAMEs that none may have.
 */
export function namedSections<T>(
  word: string,
  reserved: readonly string[],
  table: { readonly [P in keyof T]: Key<T[P]> },
  rules: Rules<T> = {},
): NamedSections<T> {
  return {
    ...section(`${word} NAME`, table, rules),
    word,
    rule: `a NAME has up to 31 of a-z, 0-9 and -, and is not ${reserved.join(', ')}`,
    member: (name) => {
      const own = nameOf(word, name)
      const fits = own !== undefined && NAME.test(own) && !reserved.includes(own)
      return fits ? section(name, table, rules) : undefined
    },
  }
}

/** The NAME in the name of a section; `undefined`: it does not begin with the word. */
export function nameOf(word: string, section: string): string | undefined {
  return section.startsWith(`${word} `) ? section.slice(word.length + 1) : undefined
}

export function isNamed(section: Section): section is NamedSections {
  return 'word' in section
}

/** Whether a section of the file, by its name there, is this one, or one of these. */
export function covers(section: Section, name: string): boolean {
  return section.name === name || (isNamed(section) && nameOf(section.word, name) !== undefined)
}

function iniKeys(section: string, property: string, { inFile, ...line }: Key<unknown>): IniKey[] {
  const key = (name: string): IniKey => ({
    ...line,
    section,
    property,
    name,
    id: keyId(section, name),
  })
  const own = key(line.name ?? property.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`))
  if (!inFile) return [own]
  const file: IniKey = { ...key(`${own.name}_file`), parse: contentOf(inFile), secret: 'file' }
  return [{ ...own, file }, file]
}
