import { statSync } from 'node:fs'
import path from 'node:path'
import ini from 'haraka-config/lib/readers/ini'
import {
  CONFIG_FILE,
  parseConfig,
  SECRET_FILES,
  SECRETS,
  type Config,
  type ParsedConfig,
} from './config'
import { FileMistakes, InputError } from '../base/errors'
import { iniLines, type LineNote } from '../config/ini-lines'
import { readOwnedFile, type OwnedFile } from '../base/owned-file'
import { packageRoot } from '../base/package-root'
import type { RawIni, Running } from '../config/settings-reader'

/** An ini file, parsed. */
export interface ConfigFile extends ParsedConfig {
  /** The values that stand there, as Haraka's own parser reads them. */
  readonly raw: RawIni
  /** Whether it sets no key. */
  readonly isEmpty: boolean
  /** What works, but not as it looks. */
  readonly warnings: readonly LineNote[]
}

/**
 * The ini file in Haraka's config directory; `undefined`: there is none.
 *
 * @param running what a process goes by that reads it again.
 * @param advice for who may not read it.
 * @throws {InputError} it cannot be read: without it we would ask the wrong Redis.
 */
export function readConfigFile(
  directory: string,
  { running, advice = AS_ROOT }: { readonly running?: Running; readonly advice?: string } = {},
): ConfigFile | undefined {
  const file = openIni(directory, advice)
  if (!file) return undefined
  const lines = iniLines(textOf(file, directory))
  const raw = ini.parseIni(CONFIG_FILE, {}, lines.text)
  const isEmpty = [...lines.sections.values()].every(({ keys }) => keys.size === 0)
  const parsed = parseConfig(raw, directory, { owner: file.owner, lines, running })
  return { ...parsed, raw, isEmpty, warnings: lines.warnings }
}

/**
 * The configuration outside of Haraka: the file in `directory`, if it has one.
 *
 * @param directory Haraka's config directory; `undefined`: the shipped defaults alone.
 * @param note told where there is no file, or nothing in it: then the shipped defaults are in effect.
 * @throws {InputError} with all that is wrong in the file; or it may not be read.
 */
export function loadConfig(
  directory: string | undefined,
  note: (text: string) => void = () => {},
): Config {
  if (directory === undefined) {
    const { config } = parseConfig({}, path.join(packageRoot(), 'config'))
    // What is beside our own package is nobody's snapshot.
    return { ...config, outage: { ...config.outage, snapshot: '' } }
  }
  const name = path.join(directory, CONFIG_FILE)
  const file = readConfigFile(directory)
  if (!file) note(`${directory} has no ${CONFIG_FILE}: the shipped defaults count`)
  else if (file.isEmpty) note(`${name} sets no key: the shipped defaults count`)
  const { config, errors } = file ?? parseConfig({}, directory)
  if (errors.length === 0) return config
  throw new FileMistakes(errors.map((error) => atLine(name, error)).join('\n'))
}

/** A message about a file, in front of it the file, and the line if there is one: `FILE:3: …`. */
export function atLine(
  file: string,
  { line, message }: { line?: number | undefined; message: string },
): string {
  return `${file}${line === undefined ? '' : `:${line}`}: ${message}`
}

const AS_ROOT = "run tenantctl as root, or as a user who may read Haraka's configuration"

function openIni(directory: string, advice: string): OwnedFile | undefined {
  const file = path.join(directory, CONFIG_FILE)
  try {
    return readOwnedFile(file)
  } catch (error) {
    if (error instanceof InputError) throw error
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') return undefined
    throw new InputError(`${file} cannot be read (${code}): ${advice}`)
  }
}

/** haraka-config reads UTF-8 only. */
function textOf({ content }: OwnedFile, directory: string): string {
  if (!content.includes(0)) return content.toString()
  throw new InputError(`${path.join(directory, CONFIG_FILE)} is no text in UTF-8: save it as such`)
}

/** The files in which passwords, keys and secrets stand: those that the ini names, and the ini where it holds some. */
export function secretFiles(directory: string, { raw }: ConfigFile): string[] {
  const isGiven = ([section, key]: readonly [string, string]): boolean =>
    raw[section]?.[key] !== undefined && raw[section][key] !== ''
  const named = SECRET_FILES.filter(isGiven)
  return [
    ...named.map(([section, key]) => path.resolve(directory, String(raw[section]?.[key]))),
    ...(SECRETS.some(isGiven) ? [path.join(directory, CONFIG_FILE)] : []),
  ]
}

/** Whether `directory` has an ini file of ours, or may have one that we may not see; without one the shipped defaults count. */
export function hasConfigFile(directory: string): boolean {
  try {
    statSync(path.join(directory, CONFIG_FILE))
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ENOENT'
  }
}
