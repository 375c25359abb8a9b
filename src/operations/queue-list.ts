import path from 'node:path'
import { mapLimited } from '../base/limiter'
import { readHeader } from '../outbound/envelope'
import { passesFilters } from '../outbound/filter'
import type { ListAnswer, ListedMail, ListTask } from '../outbound/order'
import { amountOf, type Queued, type QueueOfTenant } from './queue'

/** How much is listed at most. */
export interface ListBounds {
  readonly messages: number
  /** Of each message. */
  readonly recipients: number
  /** As JSON, in characters. */
  readonly size: number
  /** Messages that can be dropped at once. */
  readonly ids: number
}

export const UNBOUNDED: ListBounds = {
  ...{ messages: Infinity, recipients: Infinity, size: Infinity, ids: Infinity },
}

/** Queue files read at a time. */
const AT_ONCE = 4

/**
 * Lists the mail of a tenant in a queue.
 *
 * @param task filters, and what the list is for.
 * @returns the list, and the ids of the messages in it that may be dropped, if it is for that.
 */
export async function listQueue(
  directory: string,
  { mail, unreadable }: QueueOfTenant,
  { where, for: purpose }: Pick<ListTask, 'where' | 'for'>,
  bounds: ListBounds,
): Promise<{ readonly answer: ListAnswer; readonly ids: readonly string[] }> {
  const chosen = mail.filter((each) => passesFilters(each, where))
  const droppable = chosen.filter((each) => each.droppable)
  const toDrop = purpose === 'drop' ? droppable.slice(0, bounds.ids) : []
  const wanted = (purpose === 'drop' ? droppable : chosen).slice(0, bounds.messages)
  const listed = await mapLimited(wanted, AT_ONCE, (each) =>
    listedMail(directory, each, purpose === 'headers', bounds.recipients),
  )
  const answer: ListAnswer = {
    did: 'list',
    mail: withinSize(listed, bounds.size),
    all: amountOf(chosen),
    classes: classesOf(chosen),
    held: amountOf(chosen.filter(({ held }) => held)),
    droppable: amountOf(droppable),
    toDrop: amountOf(toDrop),
    unreadable: unreadable.slice(0, bounds.messages),
  }
  return { answer, ids: toDrop.map(({ id }) => id) }
}

async function listedMail(
  directory: string,
  mail: Queued,
  withHeaders: boolean,
  most: number,
): Promise<ListedMail> {
  const { file, class: of, connector, sender, size, arrived, nextAttempt, failures, held } = mail
  // Haraka may have removed or renamed the file meanwhile.
  const headers = withHeaders && (await readHeader(path.join(directory, file)).catch(() => []))
  return {
    ...{ file, class: of, connector, sender, size, arrived, nextAttempt, failures, held },
    recipients: mail.recipients.slice(0, most),
    recipientCount: mail.recipients.length,
    ...(headers && { headers }),
  }
}

function withinSize(mail: readonly ListedMail[], most: number): ListedMail[] {
  let size = 0
  return mail.filter((each) => size <= most && (size += JSON.stringify(each).length) <= most)
}

function classesOf(mail: readonly Queued[]): Record<string, number> {
  const classes: Record<string, number> = {}
  for (const { class: of } of mail) classes[of] = (classes[of] ?? 0) + 1
  return classes
}
