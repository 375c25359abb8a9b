import { closeSync, openSync, statSync } from 'node:fs'
import path from 'node:path'
import harakaConfig from 'haraka-config'
import { CONFIG_FILE, parseConfig, type Config, type RawIni } from './config'
import { InputError } from './errors'
import { packageRoot } from './package-root'

/**
 * The configuration outside of Haraka, read by Haraka's own reader: the shipped defaults, and over them the file in
 * `directory`, if it has one.
 *
 * @param directory Haraka's config directory; `undefined`: the shipped defaults alone.
 * @throws {InputError} with all that is wrong in the file; or it may not be read.
 */
export function loadConfig(directory: string | undefined): Config {
  if (directory !== undefined) assertReadable(path.join(directory, CONFIG_FILE))
  const { config, errors } = parseConfig(
    readIni(directory),
    directory ?? path.join(packageRoot(), 'config'),
  )
  if (errors.length > 0) {
    const place = directory === undefined ? CONFIG_FILE : path.join(directory, CONFIG_FILE)
    throw new InputError(`${place}: ${errors.join('; ')}`)
  }
  // What is beside our own package is nobody's snapshot.
  return directory === undefined
    ? { ...config, outage: { ...config.outage, snapshot: '' } }
    : config
}

/** The files in which passwords, keys and secrets stand: those that the ini names, and the ini where it holds some. */
export function secretFiles(directory: string): string[] {
  const ini = readIni(directory)
  const isGiven = ([section, key]: readonly [string, string]): boolean =>
    ini[section]?.[key] !== undefined && ini[section][key] !== ''
  const named = SECRET_FILES.filter(isGiven)
  return [
    ...named.map(([section, key]) => path.resolve(directory, String(ini[section]?.[key]))),
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

function readIni(directory: string | undefined): RawIni {
  const reader = harakaConfig.module_config(packageRoot())
  if (directory !== undefined) reader.overrides_path = path.resolve(directory)
  return reader.get(CONFIG_FILE) as RawIni
}

/** Haraka's reader takes a file that it may not read for one that is not there: we would ask the wrong Redis. */
function assertReadable(file: string): void {
  try {
    closeSync(openSync(file, 'r'))
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') return
    throw new InputError(
      `${file} cannot be read (${code}): run tenantctl as root, or as a user who may read Haraka's configuration`,
    )
  }
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
