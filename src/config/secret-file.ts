import { statSync } from 'node:fs'
import { InputError } from '../base/errors'
import { readOwnedFile } from '../base/owned-file'

/** Any permission for others, and write permission for the group. */
const TOO_MUCH = 0o027

/** A file with a secret that only one program reads. */
export interface SecretFile {
  /** The key that names it, for messages: `[metrics] token_file`. */
  readonly key: string
  readonly file: string
  /** uid of the owner of the ini file. */
  readonly namedBy: number
  /** Whose secret it is, for messages. */
  readonly reader: 'exporter' | 'console'
  /** How many characters it has at least. */
  readonly shortest: number
}

/** @throws {InputError} it cannot be read, others can read or change it, or it holds no secret. */
export function readSecretFile({ key, file, namedBy, reader, shortest }: SecretFile): string {
  let mode: number
  let content: string
  try {
    mode = statSync(file).mode & 0o777
    content = readOwnedFile(file, namedBy).content.toString('utf8').trim()
  } catch (error) {
    if (error instanceof InputError) throw error
    const { code } = error as NodeJS.ErrnoException
    const why = code === 'ENOENT' ? 'does not exist' : `cannot be read (${code})`
    throw new InputError(`${key}: ${file} ${why}`)
  }
  if ((mode & TOO_MUCH) !== 0) {
    const found = mode.toString(8).padStart(4, '0')
    throw new InputError(
      `${key}: ${file} has mode ${found}: others on this machine may read or change it; chmod 0600, or 0640 with the group of the ${reader}'s user`,
    )
  }
  if (!/^[\x21-\x7e]+$/.test(content) || content.length < shortest) {
    throw new InputError(
      `${key}: ${file} does not hold ${shortest} or more printable characters without a space: make one with: openssl rand -hex 32`,
    )
  }
  return content
}
