import path from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { InputError } from '../base/errors'
import { readOwnedFile } from '../base/owned-file'
import type { Value } from './haraka-files'
import { keyId } from './ini-lines'
import { text } from './values'

// The table of a section of the ini file: what there is to know of its keys, in the room that uses them. The type of the
// settings, the default, and what is said of mistakes follow from it.

/** Where an ini file is, and who owns it. */
export interface Place {
  /** Haraka's config directory. Names of files are relative to it. */
  readonly directory: string
  /** uid of the ini file's owner, which decides what files the ini file may name ({@link readOwnedFile}). */
  readonly owner: number
}

/**
 * Parses a value as haraka-config gives it: a string, a number (digits become one) or an array.
 *
 * @throws {InputError} with what is wrong about the value.
 */
export type Parse<T> = (value: unknown, place: Place) => T

/** Parses what a file holds; `file` is its name, for messages. @throws {InputError} */
export type ParseContent<T> = (file: string, content: string) => T

/** A key of a section. */
export interface Key<T> extends Options<T> {
  readonly parse: Parse<T>
  /** The default, as the shipped ini file has it. */
  readonly fallback: Value
  /** `site`: all hosts of one Redis need the same value. `host`: each may have its own. */
  readonly reach: 'site' | 'host'
}

interface Options<T> {
  /** Its name in the ini file. Absent: that of the property in snake case, so `refuseAt` is `refuse_at`. */
  readonly name?: string
  /** `value`: it is a secret; `file`: it names a file with one; `hidden`: no message repeats it. */
  readonly secret?: 'value' | 'file' | 'hidden'
  /** There is a second key, `NAME_file`. The content of the file that it names wins over the value of this key. */
  readonly inFile?: ParseContent<T>
  /** Whether a process that has started with one value must be restarted to use another. Absent: never. */
  readonly needsRestart?: (started: unknown, now: unknown) => boolean
}

/** A key with which all hosts must agree: it decides about tenants, or about what Redis holds. */
export function site<T>(parse: Parse<T>, fallback: Value, options?: Options<T>): Key<T> {
  return { parse, fallback, reach: 'site', ...options }
}

/** A key about one host: its network, its clients, its files. */
export function host<T>(parse: Parse<T>, fallback: Value, options?: Options<T>): Key<T> {
  return { parse, fallback, reach: 'host', ...options }
}

/** For {@link Key.needsRestart}: a process reads the key when it starts, and never again. */
export const differs = (started: unknown, now: unknown): boolean => !isDeepStrictEqual(started, now)

/** A value that names a file, whose content is in effect; `undefined`: it names none. */
export function contentOf<T>(parse: ParseContent<T>): Parse<T | undefined> {
  return (value, { directory, owner }) => {
    const name = text(value)
    if (name === '') return undefined
    return parse(name, readNamed(path.resolve(directory, name), owner))
  }
}

function readNamed(file: string, owner: number): string {
  try {
    return readOwnedFile(file, owner).content.toString()
  } catch (error) {
    if (error instanceof InputError) throw error
    const { code } = error as NodeJS.ErrnoException
    throw new InputError(
      `${file} ${code === 'ENOENT' ? 'does not exist' : `cannot be read (${code})`}`,
    )
  }
}

/** Keys of a section that contradict each other. */
export interface Contradiction {
  /** By their names in the ini file. The message points to the first one that the file has. */
  readonly keys: readonly string[]
  /** Follows the name of the section. */
  readonly message: string
}

/** A section of the ini file. */
export interface Section<T> {
  readonly keys: { readonly [P in keyof T]: Key<T[P]> }
  /** A change of any key needs a restart. */
  readonly needsRestart?: boolean
  contradictions?(settings: T): readonly Contradiction[]
}

/** The settings of a section, by its table. */
export type SettingsOf<S> = S extends Section<infer T> ? Readonly<T> : never

export function section<T>(
  keys: Section<T>['keys'],
  rules: Omit<Section<T>, 'keys'> = {},
): Section<T> {
  return { keys, ...rules }
}

/** Sections by their properties in the configuration; their names in the ini file are those in snake case. */
export type Sections = Readonly<Record<string, Section<unknown>>>

/** A key as it is in the ini file. */
export interface IniKey extends Pick<Key<unknown>, 'parse' | 'fallback' | 'reach' | 'secret'> {
  readonly section: string
  readonly name: string
  /** {@link keyId} */
  readonly id: string
}

/** One setting, and the key or the two keys that it is read from. */
export interface Entry {
  readonly property: string
  readonly key: IniKey
  /** Names a file whose content wins over {@link key}. */
  readonly file?: IniKey
  readonly needsRestart?: (started: unknown, now: unknown) => boolean
}

/** A section as it is in the ini file. */
export interface IniSection extends Pick<Section<unknown>, 'contradictions'> {
  readonly property: string
  readonly name: string
  readonly entries: readonly Entry[]
  /** Its keys, in their order. */
  readonly keys: readonly IniKey[]
  readonly needsRestart: boolean
}

export function iniSections(sections: Sections): IniSection[] {
  return Object.entries(sections).map(([property, table]) => {
    const name = snakeCase(property)
    const entries = Object.entries<Key<unknown>>(table.keys).map(([each, key]) =>
      entryOf(name, each, key),
    )
    const keys = entries.flatMap(({ key, file }) => (file ? [key, file] : [key]))
    return { ...table, property, name, entries, keys, needsRestart: table.needsRestart ?? false }
  })
}

function entryOf(section: string, property: string, key: Key<unknown>): Entry {
  const { name = snakeCase(property), inFile } = key
  const own = { ...key, section, name, id: keyId(section, name) }
  const rest = { property, key: own, ...(key.needsRestart && { needsRestart: key.needsRestart }) }
  if (!inFile) return rest
  const file = `${name}_file`
  const id = keyId(section, file)
  const parse = contentOf(inFile)
  return { ...rest, file: { ...own, name: file, id, parse, fallback: '', secret: 'file' } }
}

function snakeCase(property: string): string {
  return property.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
}
