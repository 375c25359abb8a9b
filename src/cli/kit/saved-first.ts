import path from 'node:path'
import { backup } from '../../backup/backup'
import { shellWord } from '../../base/command-line'
import { InputError, RefusedError, UserError } from '../../base/errors'
import type { Config } from '../../process/config'
import { lookAtRegistry } from '../../registry/epoch'
import { writeLines } from '../../registry-file/write-file'
import type { Store } from '../../store/store'
import type { Context } from './context'

/**
 * Checks that a person means the registry under this prefix, by typing it.
 *
 * @param what the command does.
 * @param yes the prefix, where the command was given it.
 * @throws {InputError} the prefix was not given.
 */
export async function assertTyped(
  context: Context,
  prefix: string,
  what: string,
  yes: string | undefined,
): Promise<void> {
  const given =
    yes ??
    (context.io.asks
      ? await context.answer(`${what}. Type the prefix of the keys, ${prefix} `)
      : undefined)
  if (given === prefix) return
  const problem =
    given === undefined
      ? `${what}, and there is no terminal to ask at`
      : `"${given}" is not the prefix of the keys`
  throw new InputError(`${problem}; nothing was written: give --yes ${shellWord(prefix)}`)
}

/**
 * Where to save what Redis holds.
 *
 * @param name of the command.
 * @param given by the command; absent: a new name beside the snapshot file.
 * @throws {InputError} there is no place for it.
 */
export function backupFile(
  { io }: Context,
  { outage: { snapshot } }: Pick<Config, 'outage'>,
  name: string,
  given: string | undefined,
): string {
  if (given !== undefined) return path.resolve(io.cwd, given)
  if (snapshot === '') {
    throw new InputError(
      'there is no snapshot file to put the backup beside: name it with --backup FILE',
    )
  }
  const { dir, name: base } = path.parse(snapshot)
  // To the ms: the same command may be run twice in a second.
  const time = new Date().toISOString().replace(/[-:]/g, '')
  return path.join(dir, `${base}.before-${name}.${time}.jsonl`)
}

/**
 * Saves what Redis holds before a command changes or deletes it; `null`: it holds no tenant.
 *
 * @throws {RefusedError} it cannot be written.
 */
export async function savedFirst(
  context: Context,
  store: Store,
  file: string,
): Promise<string | null> {
  if ((await lookAtRegistry(store)).tenants === 0) {
    context.note('Redis holds no tenant: there is nothing to back up')
    return null
  }
  try {
    await backup(store, (header, lines) => writeLines(file, header, lines, { verify: true }))
  } catch (error) {
    if (!(error instanceof UserError)) throw error
    throw new RefusedError(
      `no backup, so nothing was written: ${error.message}; or name another file with --backup FILE`,
    )
  }
  context.note(`what Redis held is saved in ${file}`)
  return file
}
