import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs'
import { InputError } from './errors'

/** uid of the user who may read every file anyhow. */
export const ROOT = 0

/** No file of a configuration is larger, in octets. */
const MOST = 8 * 1024 * 1024

/** A file as it was when it was opened. */
export interface OwnedFile {
  readonly content: Buffer
  /** uid */
  readonly owner: number
  /** When its content was changed, in ms since the epoch. */
  readonly changed: number
}

/**
 * Reads a file of the configuration: the ini file, or one that the ini file names. Owner and kind are those of the open
 * descriptor: another file that takes the name meanwhile is not looked at.
 *
 * Root reads any file. So that an ini file of somebody else cannot make it read, and send, more than that user could, the
 * ini file may name its owner's files only, unless it is root's.
 *
 * @param namedBy uid of the owner of the ini file that names it.
 * @throws {InputError} the ini file may not name it, or it is no regular file, or too large; as `fs.openSync`.
 */
export function readOwnedFile(file: string, namedBy = ROOT): OwnedFile {
  // Not blocking: a pipe without a writer would hold us for ever.
  const descriptor = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK)
  try {
    const found = fstatSync(descriptor)
    if (!found.isFile()) throw new InputError(`${file} is no regular file`)
    assertMayName(namedBy, file, found.uid)
    if (found.size > MOST) throw new InputError(`${file} is larger than ${MOST} octets`)
    return { content: readFileSync(descriptor), owner: found.uid, changed: found.mtimeMs }
  } finally {
    closeSync(descriptor)
  }
}

/** @throws {InputError} where an ini file of `namedBy` may not name a file of `owner`; both are uids. */
export function assertMayName(namedBy: number, file: string, owner: number): void {
  if (namedBy === ROOT || namedBy === owner) return
  throw new InputError(
    `${file} belongs to uid ${owner}, and the ini file that names it to uid ${namedBy}: an ini file may name files of its owner only, unless it is root's; chown it to root if its content is right`,
  )
}
