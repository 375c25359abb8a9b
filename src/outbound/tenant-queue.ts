import { readdir, stat } from 'node:fs/promises'
import path from 'node:path'
import { messageOf, UserError } from '../base/errors'
import type { HarakaAddress } from '../names/envelope'
import { mapLimited } from '../base/limiter'
import { readEnvelope } from './envelope'
import { parseQueueName, type QueueName } from './file-name'
import { queuedNote, type QueuedNote } from './note'

/** A message of a tenant in Haraka's queue, for the recipients of one domain. */
export interface QueuedMail extends QueueName, QueuedNote {
  /** Its name in the queue directory. */
  readonly file: string
  /** Without angle brackets; empty for the null sender. */
  readonly sender: string
  /** The same as an address object of Haraka. */
  readonly from: HarakaAddress
  readonly recipients: readonly string[]
  /** Of the message without its envelope, in octets. */
  readonly size: number
}

/** The mail of a tenant in a queue directory. */
export interface TenantQueue {
  /** Oldest first; without dropped messages. */
  readonly mail: readonly QueuedMail[]
  /** Files with the name but not the content of a queue file. */
  readonly unreadable: readonly string[]
}

/** How a queue directory is read. */
export interface QueueReading {
  /** Files read at a time: in a process that handles mail, few. */
  readonly atOnce?: number
  /** Only messages with these ids. */
  readonly only?: ReadonlySet<string>
}

const AT_ONCE = 64

/**
 * Finds the mail of a tenant in a queue directory. A file that Haraka removes or renames meanwhile is left out, or has its
 * old name.
 *
 * @throws {UserError} the directory, or a file in it, cannot be read.
 */
export async function readTenantQueue(
  directory: string,
  tenant: string,
  { atOnce = AT_ONCE, only }: QueueReading = {},
): Promise<TenantQueue> {
  const mail: QueuedMail[] = []
  const unreadable: string[] = []
  await mapLimited(await filesIn(directory), atOnce, async (file) => {
    const found = await readMail(directory, file, only).catch((error: unknown) =>
      unread(file, error),
    )
    if (typeof found === 'string') unreadable.push(found)
    else if (found && found.tenant === tenant && !found.dropped) mail.push(found)
  })
  return { mail: mail.sort((a, b) => a.arrived - b.arrived), unreadable }
}

async function filesIn(directory: string): Promise<string[]> {
  try {
    return await readdir(directory)
  } catch (error) {
    const code = codeOf(error)
    const advice =
      code === 'ENOENT'
        ? "it is searched on this host: run tenantctl where Haraka runs, and name Haraka's config directory with --config"
        : 'run tenantctl as root, or as the user that Haraka runs as'
    throw new UserError(
      `Haraka's queue directory ${directory} cannot be read (${code}): ${advice}`,
      1,
    )
  }
}

/** `undefined`: no mail, mail without a tenant, or none of `only`. */
async function readMail(
  directory: string,
  file: string,
  only?: ReadonlySet<string>,
): Promise<QueuedMail | undefined> {
  const name = parseQueueName(file)
  if (!name || only?.has(name.id) === false) return undefined
  const place = path.join(directory, file)
  const envelope = await readEnvelope(place)
  const note = queuedNote(envelope.notes)
  if (!note) return undefined
  const { size } = await stat(place)
  return {
    ...{ ...name, ...note, file },
    ...{
      sender: envelope.mailFrom,
      from: envelope.from,
      recipients: envelope.rcptTo,
      size: size - envelope.length,
    },
  }
}

/** The name of a broken file; `undefined` for one that has been removed meanwhile. */
function unread(file: string, error: unknown): string | undefined {
  const code = codeOf(error)
  if (code === 'ENOENT') return undefined
  if (code === 'EACCES' || code === 'EPERM') {
    throw new UserError(
      `${file} in Haraka's queue cannot be read (${code}): run tenantctl as root, or as the user that Haraka runs as`,
      1,
    )
  }
  return file
}

/** A code such as `EACCES`, else the message. */
export function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException | null)?.code ?? messageOf(error)
}
