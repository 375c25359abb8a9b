import path from 'node:path'
import { CONFIG_FILE, hasConfigFile } from '../../process/config-file'
import { InputError, messageOf } from '../../base/errors'
import { changeableByOthers } from '../../base/trusted-path'
import { ROOT } from '../../base/owned-file'
import { shellWord } from '../../base/command-line'

/**
 * Checks a config directory that was not named with `--config`: a user who can change it could make `tenantctl` read
 * any file and send it to another Redis.
 *
 * @param directory an absolute path.
 * @throws {InputError} naming the `--config` that uses it anyway.
 */
export function assertOurs(directory: string): void {
  const open = openToOthers(directory)
  if (open === undefined) return
  throw new InputError(
    `${directory} is not used unless it is named: ${open}, so that others could make tenantctl read your files and send them elsewhere; if you trust them, add --config ${shellWord(directory)}`,
  )
}

/**
 * Who else could change the configuration in `directory`, or why that cannot be found out; `undefined`: only root and
 * the caller can.
 */
export function openToOthers(directory: string): string | undefined {
  const caller = process.geteuid?.() ?? ROOT
  try {
    const open = changeableByOthers(directory, caller)
    if (open !== undefined || !hasConfigFile(directory)) return open
    return changeableByOthers(path.join(directory, CONFIG_FILE), caller)
  } catch (error) {
    return messageOf(error)
  }
}
