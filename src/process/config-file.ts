import { statSync } from 'node:fs'
import path from 'node:path'
import { FileMistakes } from '../base/errors'
import { packageRoot } from '../base/package-root'
import type { Running } from '../config/settings-reader'
import { atLine } from '../config/ini-lines'
import { readOwnIni, type OwnIni } from '../config/own-ini'
import { parseConfig, SECTIONS, type Config, type ParsedConfig } from './config'

/** Name of the ini file in Haraka's config directory. */
export const CONFIG_FILE = 'unregistered-domain.ini'

const AS_ROOT = "run tenantctl as root, or as a user who may read Haraka's configuration"

export type ConfigFile = ParsedConfig & OwnIni

/**
 * The ini file in Haraka's config directory; `undefined`: there is none.
 *
 * @param running the settings of a process that reads it again.
 * @param advice for a user who may not read it.
 * @throws {InputError} it cannot be read: without it this process would ask the wrong Redis.
 */
export function readConfigFile(
  directory: string,
  { running, advice = AS_ROOT }: { readonly running?: Running; readonly advice?: string } = {},
): ConfigFile | undefined {
  const file = readOwnIni(path.join(directory, CONFIG_FILE), advice)
  return file && { ...file, ...parseConfig(file.raw, directory, { ...file, running }) }
}

/**
 * The configuration outside of Haraka: the file in `directory`, if it has one.
 *
 * @param directory Haraka's config directory; `undefined`: the shipped defaults alone.
 * @param note is called where there is no file, or nothing in it: then the shipped defaults are in effect.
 * @throws {InputError} with all that is wrong in the file; or it may not be read.
 */
export function loadConfig(
  directory: string | undefined,
  note: (text: string) => void = () => {},
): Config {
  if (directory === undefined) {
    const { config } = parseConfig({}, path.join(packageRoot(), 'config'))
    // No Haraka has its snapshot beside our package.
    return { ...config, outage: { ...config.outage, snapshot: '' } }
  }
  const name = path.join(directory, CONFIG_FILE)
  const file = readConfigFile(directory)
  if (!file) note(`${directory} has no ${CONFIG_FILE}: the shipped defaults are in effect`)
  else if (file.isEmpty) note(`${name} sets no key: the shipped defaults are in effect`)
  const { config, errors } = file ?? parseConfig({}, directory)
  if (errors.length === 0) return config
  throw new FileMistakes(errors.map((error) => atLine(name, error)).join('\n'))
}

/** The files that hold passwords, keys and secrets: those that the ini file names, and the ini file where it holds some. */
export function secretFiles(directory: string, { raw }: ConfigFile): string[] {
  const given = Object.values(SECTIONS)
    .flatMap(({ keys }) => keys)
    .map(({ section, name, secret }) => ({ secret, value: raw[section]?.[name] ?? '' }))
    .filter(({ value }) => value !== '')
  const named = given.filter(({ secret }) => secret === 'file')
  return [
    ...named.map(({ value }) => path.resolve(directory, String(value as string | number))),
    ...(given.some(({ secret }) => secret === 'value') ? [path.join(directory, CONFIG_FILE)] : []),
  ]
}

/** Whether `directory` has our ini file, or may have one that this user may not see. */
export function hasConfigFile(directory: string): boolean {
  try {
    statSync(path.join(directory, CONFIG_FILE))
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ENOENT'
  }
}
