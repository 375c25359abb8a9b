import { chown, readdir, rename, stat, unlink, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { randomUUID } from 'node:crypto'
import { mapLimited } from '../base/limiter'
import { parseQueueName, UNFINISHED } from './file-name'
import { codeOf, type QueuedMail } from './tenant-queue'

/** What {@link dropMail} has done. */
export interface DropResult<Mail extends QueuedMail> {
  readonly dropped: readonly Mail[]
  /** Not there any more: it was delivered, or given up, meanwhile. */
  readonly missed: readonly Mail[]
}

const AT_ONCE = 16
/** Haraka renames a file when a delivery has failed: how often it is looked for under another name. */
const LOOKS = 3
/** What Haraka is to try so soon, it may have begun, in ms. */
const SOON = 10_000

/**
 * Removes mail from the queue of a Haraka that may be running.
 *
 * What is due has been read by Haraka already: its file is unlinked. Mail that is held is looked for before each look
 * at it (`plugins/outbound/held-queue.ts`); what is being delivered right now may still arrive, else it ends without a bounce.
 *
 * What is to be tried later may be known to Haraka by its name only, and a name without a file keeps one of its places
 * for loading for ever (`outbound/queue.js`: `load_queue` waits for `ready` or `error`, and a failed `size_file` emits
 * neither). So an empty message is put in its place, which {@link emptyMessage} says how it ends.
 *
 * @throws as `fs.unlink`, at the first that it may not remove.
 */
export async function dropMail<Mail extends QueuedMail>(
  directory: string,
  mail: readonly Mail[],
): Promise<DropResult<Mail>> {
  const wanted = new Map(mail.map((each) => [each.id, each]))
  const dropped: Mail[] = []
  for (let look = 0; look < LOOKS && wanted.size > 0; look++) {
    const there = (await readdir(directory)).flatMap((file) => {
      const found = wanted.get(parseQueueName(file)?.id ?? '')
      return found ? [{ ...found, ...parseQueueName(file), file }] : []
    })
    if (there.length === 0) break
    await mapLimited(there, AT_ONCE, async (each) => {
      if (!(await remove(directory, each))) return
      wanted.delete(each.id)
      dropped.push(each)
    })
  }
  return { dropped, missed: [...wanted.values()] }
}

/** Whether it was there. */
async function remove(directory: string, mail: QueuedMail): Promise<boolean> {
  try {
    if (mail.nextAttempt > Date.now() + SOON) await replace(directory, mail)
    else await unlink(path.join(directory, mail.file))
    return true
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return false
    throw error
  }
}

async function replace(directory: string, mail: QueuedMail): Promise<void> {
  const place = path.join(directory, mail.file)
  const { size, uid, gid } = await stat(place)
  const written = path.join(directory, `${UNFINISHED}${randomUUID()}`)
  try {
    await writeFile(written, emptyMessage(mail, size), { mode: 0o600, flag: 'wx' })
    // Root's own file the user of Haraka could not read. Others may not give files away, and need not.
    if (process.getuid?.() === 0) await chown(written, uid, gid)
    await rename(written, place)
  } catch (error) {
    await unlink(written).catch(() => {})
    throw error
  }
}

/**
 * A queue file of a message that nobody gets. The plugin discards it. So does Haraka without the plugin: the domain
 * cannot exist (RFC 2606), and there is no sender to send a bounce to (`outbound/hmail.js`, `double_bounce`).
 *
 * @param size of the file in its place, which the new one must differ from: by that it is known where Haraka had read
 *   the old one.
 */
export function emptyMessage(mail: QueuedMail, size: number): Buffer {
  const { tenant, connector, class: noted } = mail
  const todo = {
    queue_time: mail.arrived,
    domain: 'dropped.invalid',
    rcpt_to: [],
    mail_from: { original: '<>', user: '', host: '' },
    notes: { unregistered_domain: { tenant, connector, class: noted, dropped: true } },
    uuid: mail.id,
  }
  const file = (padding: string): Buffer => {
    const text = Buffer.from(`\n${JSON.stringify(todo)}${padding}\n`)
    const length = Buffer.alloc(4)
    length.writeUInt32BE(text.length)
    return Buffer.concat([length, text])
  }
  const octets = file('')
  return octets.length === size ? file(' ') : octets
}
