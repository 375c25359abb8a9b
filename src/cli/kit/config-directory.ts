import { existsSync, statSync } from 'node:fs'
import path from 'node:path'
import { shellWord } from '../../base/command-line'
import { InputError } from '../../base/errors'
import { hasConfigFile } from '../../process/config-file'
import type { GlobalOptions } from './global-options'
import type { Io } from './io'
import { assertOurs } from './own-directory'

/**
 * Haraka's config directory: `--config`, else `$HARAKA/config`, else `./config`; one with our ini file is preferred.
 * `undefined` with `--redis` alone.
 *
 * @throws {InputError} where there is none, or where `--config` is not given and other users could change `./config`.
 */
export function findConfigDirectory(
  { config, redis }: GlobalOptions,
  { cwd, env }: Io,
): string | undefined {
  if (config !== undefined) {
    const directory = path.resolve(cwd, config)
    if (isDirectory(directory)) return directory
    throw new InputError(`--config "${config}" is not a directory: name Haraka's config directory`)
  }
  if (redis !== undefined) return undefined
  const ofHaraka = env['HARAKA'] ? path.resolve(cwd, env['HARAKA'], 'config') : undefined
  const places = [...(ofHaraka ? [ofHaraka] : []), path.resolve(cwd, 'config')]
  const candidates = places.filter(isDirectory)
  const directory = candidates.find(hasConfigFile) ?? candidates[0]
  if (directory !== undefined) {
    if (directory !== ofHaraka) assertOurs(directory)
    return directory
  }
  throw new InputError(
    `there is no ${places.join(' and no ')}: name Haraka's config directory with --config DIR, or Redis with --redis URL`,
  )
}

/** Where `directory` has no ini file, and the config directory below it has one: the question whether that was meant. */
export function meantBelow(directory: string): string | undefined {
  const below = path.join(directory, 'config')
  if (hasConfigFile(directory) || !isDirectory(below) || !hasConfigFile(below)) return undefined
  return `did you mean --config ${shellWord(below)}?`
}

function isDirectory(directory: string): boolean {
  return existsSync(directory) && statSync(directory).isDirectory()
}
