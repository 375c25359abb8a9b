import { lstatSync, mkdirSync } from 'node:fs'
import { userInfo } from 'node:os'
import path from 'node:path'
import { InputError, messageOf } from '../../base/errors'
import { changeableByOthers } from '../../base/trusted-path'

/** What Linux takes as the name of a socket, in octets (`sun_path` of unix(7)). */
const LONGEST_SOCKET = 107

/** The files of a console. */
export interface StateFiles {
  /** The registry that it knows. */
  readonly registry: string
  /** Where `tenantctl console link` asks it. */
  readonly control: string
}

/**
 * The files in the directory of the console's own.
 *
 * @param state `[console] state`; `undefined`: one of the user of this process.
 * @throws {InputError} it has no home, or the name is too long for a socket.
 */
export function stateFiles(state: string | undefined): StateFiles {
  const directory = state ?? path.join(home(), '.local', 'state', 'unregistered-domain-console')
  const control = path.join(directory, 'control')
  if (Buffer.byteLength(control) > LONGEST_SOCKET) {
    throw new InputError(
      `${directory} is too long for a socket below it: name a shorter [console] state`,
    )
  }
  return { control, registry: path.join(directory, 'registry.json') }
}

/**
 * Makes the directory of these files where it is missing.
 *
 * @throws {InputError} others could change what is in it, or it cannot be made.
 */
export function makeStateDirectory({ control }: StateFiles): void {
  const directory = path.dirname(control)
  let open: string | undefined
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 })
    open = changeableByOthers(directory, process.geteuid!())
    const mode = lstatSync(directory).mode & 0o777
    if (open === undefined && (mode & 0o077) !== 0) {
      open = `it has mode ${mode.toString(8).padStart(4, '0')}, and needs 0700`
    }
  } catch (error) {
    open = messageOf(error)
  }
  if (open !== undefined) {
    throw new InputError(
      `${directory} cannot be the directory of the console: ${open}; [console] state names another one`,
    )
  }
}

function home(): string {
  try {
    return userInfo().homedir
  } catch {
    throw new InputError('this user has no home: name a directory in [console] state')
  }
}
