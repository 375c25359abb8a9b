import { statSync } from 'node:fs'
import path from 'node:path'
import { FileMistakes } from '../base/errors'
import { packageRoot } from '../base/package-root'
import { sectionsOf, type ConfigError, type Running } from '../config/settings-reader'
import { atLine } from '../config/ini-lines'
import { covers } from '../config/section'
import { readOwnIni, type OwnIni } from '../config/own-ini'
import { parseConfig, SECTIONS, type Config, type ParsedConfig, type SectionName } from './config'

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

/** The configuration outside of Haraka: what is right in the file of a config directory, over the shipped defaults. */
export class LoadedConfig {
  /** Where the file has a mistake, the default is in effect. For what is only shown; see {@link needed}. */
  readonly config: Config
  /** In the order of the file. */
  readonly errors: readonly ConfigError[]

  /**
   * @param name path of the file.
   * @param note says why the shipped defaults are in effect; `undefined`: the file sets some key.
   */
  constructor(
    private readonly name: string,
    { config, errors }: Pick<ParsedConfig, 'config' | 'errors'>,
    readonly note?: string,
  ) {
    this.config = config
    this.errors = errors
  }

  /**
   * The sections that something depends on: what is done by a default in place of a mistake would be wrong.
   *
   * @throws {FileMistakes} with all mistakes that may be about one of them.
   */
  needed<S extends SectionName>(...sections: readonly S[]): Pick<Config, S> {
    const wrong = this.errorsIn(...sections)
    if (wrong.length > 0) throw this.mistakes(wrong)
    return this.config
  }

  /** The mistakes that may be about one of these sections. */
  errorsIn(...names: readonly SectionName[]): ConfigError[] {
    return this.errors.filter(({ sections }) =>
      names.some((name) => sections.some((each) => covers(SECTIONS[name], each))),
    )
  }

  /** Some of these errors, as what a command ends with. */
  mistakes(errors: readonly ConfigError[]): FileMistakes {
    return new FileMistakes(errors.map((error) => this.located(error)).join('\n'))
  }

  /** The message of an error, with the file and its line. */
  located(error: ConfigError): string {
    return atLine(this.name, error)
  }
}

/**
 * @param directory Haraka's config directory; `undefined`: the shipped defaults alone.
 * @throws {InputError} the file may not be read, or is no text.
 */
export function loadConfig(directory: string | undefined): LoadedConfig {
  if (directory === undefined) return new LoadedConfig(CONFIG_FILE, shipped())
  const name = path.join(directory, CONFIG_FILE)
  const file = readConfigFile(directory)
  const inEffect = 'the shipped defaults are in effect'
  if (!file) {
    const note = `${directory} has no ${CONFIG_FILE}: ${inEffect}`
    return new LoadedConfig(name, parseConfig({}, directory), note)
  }
  return new LoadedConfig(name, file, file.isEmpty ? `${name} sets no key: ${inEffect}` : undefined)
}

function shipped(): ParsedConfig {
  const parsed = parseConfig({}, path.join(packageRoot(), 'config'))
  const { config } = parsed
  // No Haraka has its snapshot beside our package.
  return { ...parsed, config: { ...config, outage: { ...config.outage, snapshot: '' } } }
}

/** The files that hold passwords, keys and secrets: those that the ini file names, and the ini file where it holds some. */
export function secretFiles(directory: string, { raw, settings }: ConfigFile): string[] {
  const given = sectionsOf(Object.values(SECTIONS), settings)
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
