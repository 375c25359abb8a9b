import { statSync } from 'node:fs'
import path from 'node:path'
import ini from 'haraka-config/lib/readers/ini'
import { CONFIG_FILE, parseConfig, type Config, type RawIni } from './config'
import { InputError } from './errors'
import { readOwnedFile, type OwnedFile } from './owned-file'
import { packageRoot } from './package-root'

/**
 * The configuration outside of Haraka: the file in `directory`, if it has one, parsed by Haraka's own parser.
 *
 * @param directory Haraka's config directory; `undefined`: the shipped defaults alone.
 * @throws {InputError} with all that is wrong in the file; or it may not be read.
 */
export function loadConfig(directory: string | undefined): Config {
  if (directory === undefined) {
    const { config } = parseConfig({}, path.join(packageRoot(), 'config'))
    // What is beside our own package is nobody's snapshot.
    return { ...config, outage: { ...config.outage, snapshot: '' } }
  }
  const file = openIni(directory)
  const { config, errors } = parseConfig(file ? rawIni(file) : {}, directory, file?.owner)
  if (errors.length === 0) return config
  throw new InputError(`${path.join(directory, CONFIG_FILE)}: ${errors.join('; ')}`)
}

/**
 * The ini file in Haraka's config directory; `undefined`: there is none, and the shipped defaults count.
 *
 * @throws {InputError} it may not be read: without it we would ask the wrong Redis.
 */
export function openIni(directory: string): OwnedFile | undefined {
  const file = path.join(directory, CONFIG_FILE)
  try {
    return readOwnedFile(file)
  } catch (error) {
    if (error instanceof InputError) throw error
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') return undefined
    throw new InputError(
      `${file} cannot be read (${code}): run tenantctl as root, or as a user who may read Haraka's configuration`,
    )
  }
}

/** The files in which passwords, keys and secrets stand: those that the ini names, and the ini where it holds some. */
export function secretFiles(directory: string): string[] {
  const file = openIni(directory)
  if (!file) return []
  const raw = rawIni(file)
  const isGiven = ([section, key]: readonly [string, string]): boolean =>
    raw[section]?.[key] !== undefined && raw[section][key] !== ''
  const named = SECRET_FILES.filter(isGiven)
  return [
    ...named.map(([section, key]) => path.resolve(directory, String(raw[section]?.[key]))),
    ...(SECRETS.some(isGiven) ? [path.join(directory, CONFIG_FILE)] : []),
  ]
}

const SECRET_FILES = [
  ['redis', 'password_file'],
  ['redis', 'sentinel_password_file'],
  ['redis', 'tls_key'],
  ['alerts', 'webhook_secret_file'],
  ['srs', 'secret_file'],
] as const

const SECRETS = [
  ['redis', 'password'],
  ['redis', 'sentinel_password'],
  ['alerts', 'webhook_secret'],
  ['srs', 'secret'],
] as const

function rawIni({ content }: OwnedFile): RawIni {
  return ini.parseIni(CONFIG_FILE, {}, content.toString())
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
