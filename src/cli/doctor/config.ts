import path from 'node:path'
import { CONFIG_FILE, readConfigFile, type ConfigFile } from '../../process/config-file'
import { atLine } from '../../config/ini-lines'
import { InputError } from '../../base/errors'
import { meantBelow } from '../kit/config-directory'
import { fail, warn, type Line } from './line'

/** Our ini file, and its mistakes, a line each. */
export interface CheckedConfigFile {
  readonly lines: readonly Line[]
  /** `undefined`: there is none, or it is unreadable. */
  readonly file?: ConfigFile
  /** This user may not read it, or it is no text. */
  readonly isUnreadable?: true
}

/** @param directory Haraka's config directory. */
export function checkConfigFile(directory: string): CheckedConfigFile {
  const name = path.join(directory, CONFIG_FILE)
  try {
    const file = readConfigFile(directory)
    return file ? { lines: linesOf(name, file), file } : { lines: [absent(directory)] }
  } catch (error) {
    if (!(error instanceof InputError)) throw error
    return { lines: [fail('config', error.message, 'correct the file')], isUnreadable: true }
  }
}

function linesOf(name: string, { errors, lines: { warnings }, isEmpty }: ConfigFile): Line[] {
  const lines = [
    ...errors.map((error) =>
      fail('config', atLine(name, error), `correct the line; until then ${error.instead}`),
    ),
    ...warnings.map((each) => warn('config', atLine(name, each), 'keep one of them')),
  ]
  if (errors.length > 0 || !isEmpty) return lines
  const message = `${name} sets no key: the defaults are in effect, also where Redis is`
  return [warn('config', message, 'set the keys that differ from the defaults')]
}

function absent(directory: string): Line {
  return warn(
    'config',
    `${directory} has no ${CONFIG_FILE}: the shipped defaults are in effect, also where Redis is`,
    meantBelow(directory) ?? 'copy it from the package, and set the keys that differ',
  )
}
