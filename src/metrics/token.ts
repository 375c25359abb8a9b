import { statSync } from 'node:fs'
import { InputError } from '../base/errors'
import { readOwnedFile } from '../base/owned-file'

/** Any permission for others, and write permission for the group. */
const TOO_MUCH = 0o027
/** A shorter one could be guessed; in characters. */
const SHORTEST = 16
const MAKE_ONE = 'make one with: openssl rand -hex 32'

/**
 * Reads the token that a client has to send.
 *
 * @param namedBy uid of the owner of the ini file.
 * @throws {InputError} it cannot be read, others can read or change it, or it holds no token.
 */
export function readToken(file: string, namedBy: number): string {
  let mode: number
  let content: string
  try {
    mode = statSync(file).mode & 0o777
    content = readOwnedFile(file, namedBy).content.toString('utf8').trim()
  } catch (error) {
    if (error instanceof InputError) throw error
    const { code } = error as NodeJS.ErrnoException
    const why = code === 'ENOENT' ? 'does not exist' : `cannot be read (${code})`
    throw new InputError(`[metrics] token_file: ${file} ${why}`)
  }
  if ((mode & TOO_MUCH) !== 0) {
    const found = mode.toString(8).padStart(4, '0')
    throw new InputError(
      `[metrics] token_file: ${file} has mode ${found}: others on this machine may read or change it; chmod 0600, or 0640 with the group of the exporter's user`,
    )
  }
  if (!/^[\x21-\x7e]+$/.test(content) || content.length < SHORTEST) {
    throw new InputError(
      `[metrics] token_file: ${file} does not hold ${SHORTEST} or more printable characters without a space: ${MAKE_ONE}`,
    )
  }
  return content
}
