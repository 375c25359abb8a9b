import { existsSync } from 'node:fs'
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
 * @throws {InputError} with all that is wrong in the file.
 */
export function loadConfig(directory: string | undefined): Config {
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

/** The files in which passwords and keys for Redis stand: those that [redis] names, and the ini where it holds some. */
export function secretFiles(directory: string): string[] {
  const redis = readIni(directory)['redis'] ?? {}
  const isGiven = (key: string): boolean => redis[key] !== undefined && redis[key] !== ''
  const named = ['password_file', 'sentinel_password_file', 'tls_key'].filter(isGiven)
  return [
    ...named.map((key) => path.resolve(directory, String(redis[key]))),
    ...(['password', 'sentinel_password'].some(isGiven) ? [path.join(directory, CONFIG_FILE)] : []),
  ]
}

function readIni(directory: string | undefined): RawIni {
  const reader = harakaConfig.module_config(packageRoot())
  if (directory !== undefined) reader.overrides_path = path.resolve(directory)
  return reader.get(CONFIG_FILE) as RawIni
}

/** Whether `directory` has an ini file of ours; without one the shipped defaults count. */
export function hasConfigFile(directory: string): boolean {
  return existsSync(path.join(directory, CONFIG_FILE))
}
