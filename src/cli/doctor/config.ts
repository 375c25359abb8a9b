import path from 'node:path'
import { CONFIG_FILE } from '../../process/config-file'
import { readConfigFile, type ConfigFile } from '../../process/config-file'
import { atLine } from '../../config/ini-lines'
import { InputError } from '../../base/errors'
import { fail, warn, type Line } from './line'

/**
 * The mistakes in our ini file, a line each, and the file if it can be read.
 *
 * @param directory Haraka's config directory.
 */
export function checkConfigFile(directory: string): { lines: Line[]; file?: ConfigFile } {
  try {
    const file = readConfigFile(directory)
    return file ? { lines: linesOf(path.join(directory, CONFIG_FILE), file), file } : { lines: [] }
  } catch (error) {
    if (!(error instanceof InputError)) throw error
    return { lines: [fail('config', error.message, 'correct the file'), NOT_ASKED] }
  }
}

const NOT_ASKED = warn('redis', 'Redis was not checked', `correct ${CONFIG_FILE} first`)

function linesOf(name: string, { errors, lines: { warnings }, isEmpty }: ConfigFile): Line[] {
  const lines = [
    ...errors.map((error) => fail('config', atLine(name, error), 'correct the line')),
    ...warnings.map((each) => warn('config', atLine(name, each), 'keep one of them')),
  ]
  if (errors.length > 0) return [...lines, NOT_ASKED]
  if (!isEmpty) return lines
  const message = `${name} sets no key: the defaults are in effect, also where Redis is`
  return [warn('config', message, 'set the keys that differ from the defaults')]
}
