import { chown, readdir, rename, stat, unlink, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { notedClass } from '../mail/classes'
import { mapLimited } from '../base/limiter'
import { parseQueueName, UNFINISHED } from './file-name'
import { setNote } from './note'
import { codeOf, type QueuedMail } from './tenant-queue'

/** What {@link dropMail} has done. */
export interface DropResult<Mail extends QueuedMail> {
  readonly dropped: readonly Mail[]
  /** No longer in the queue: it was delivered, or bounced, meanwhile. */
  readonly missed: readonly Mail[]
}

/** Files removed at a time: as many as Node works on at once. */
const AT_ONCE = 4
/** Haraka renames a file when a delivery has failed: how often the queue is searched for the new name. */
const LOOKS = 4
/** A file whose next attempt is later than this can be replaced before Haraka begins it, in ms. */
const AHEAD = 1000
/** When an attempt was due, Haraka has read the file after this long: it looks every second. In ms. */
const READ_AFTER = 2000

/**
 * Removes mail from the queue of a Haraka that may be running.
 *
 * Haraka has read a message that is due already: its file is unlinked. For held mail the plugin checks the file before
 * each attempt (`plugins/outbound/held-queue.ts`); a message that is being delivered right now may still arrive, else it
 * ends without a bounce.
 *
 * Haraka may know a later message by its file name only, and a name without a file occupies one of its loading slots for
 * ever (`outbound/queue.js`: `load_queue` waits for `ready` or `error`, and a failed `size_file` emits neither). So an
 * empty message replaces it: see {@link emptyMessage}. What is becoming due can be either, so this waits until Haraka has
 * read it.
 *
 * @throws as `fs.unlink`, at the first file that it may not remove.
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

/** @returns whether it is removed; else another look at the queue must find it. */
async function remove(directory: string, mail: QueuedMail): Promise<boolean> {
  const due = mail.nextAttempt - Date.now()
  if (due <= AHEAD && due > -READ_AFTER) {
    await sleep(due + READ_AFTER)
    return false
  }
  try {
    if (due > 0) return await replace(directory, mail)
    await unlink(path.join(directory, mail.file))
    return true
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return false
    throw error
  }
}

/** @returns whether that was in time: an attempt that has begun would send what it finds in the new file. */
async function replace(directory: string, mail: QueuedMail): Promise<boolean> {
  const place = path.join(directory, mail.file)
  const { size, uid, gid } = await stat(place)
  const written = path.join(directory, `${UNFINISHED}${randomUUID()}`)
  try {
    await writeFile(written, emptyMessage(mail, size), { mode: 0o600, flag: 'wx' })
    // Haraka's user could not read a file of root. Other users may not give files away, and need not.
    if (process.getuid?.() === 0) await chown(written, uid, gid)
    const isInTime = mail.nextAttempt > Date.now()
    await (isInTime ? rename(written, place) : unlink(written))
    return isInTime
  } catch (error) {
    await unlink(written).catch(() => {})
    throw error
  }
}

/**
 * A queue file of a message without recipients. The plugin discards it. So does Haraka without the plugin: the domain
 * cannot exist (RFC 2606), and there is no sender to bounce to (`outbound/hmail.js`, `double_bounce`).
 *
 * @param size of the file that it replaces, in octets. The new one gets another size: the plugin compares the two to find
 *   out whether Haraka had read the old one.
 */
export function emptyMessage(mail: QueuedMail, size: number): Buffer {
  const { tenant, connector } = mail
  const notes = {}
  setNote(notes, { tenant, connector, class: notedClass(mail.class), dropped: true })
  const todo = {
    queue_time: mail.arrived,
    domain: 'dropped.invalid',
    rcpt_to: [],
    mail_from: { original: '<>', user: '', host: '' },
    notes,
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
