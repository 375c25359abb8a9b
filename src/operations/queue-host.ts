import { stat } from 'node:fs/promises'
import { messageOf, UserError } from '../base/errors'
import { hostText, type Answer, type DropTask, type Order, type QueueHost } from '../outbound/order'
import type { OrderBook } from '../outbound/order-book'
import { Store } from '../store/store'
import { dropFromQueue, readQueue, type HoldSettings } from './queue'
import { listQueue, type ListBounds } from './queue-list'

/** Queue files that are read at a time: Haraka's own work on the queue must not wait for these. */
const AT_ONCE = 4

const LIST: ListBounds = { messages: 1000, recipients: 100, size: 1_000_000, ids: 20_000 }
const HEADERS: ListBounds = { messages: 50, recipients: 1000, size: 2_000_000, ids: 0 }

/** The answer to an order, and the ids of the messages that were listed to be dropped. */
export interface CarriedOut {
  readonly answer: Answer
  readonly ids?: readonly string[]
}

/** Where orders are carried out. */
export interface QueuePlace {
  readonly store: Store
  readonly book: OrderBook
  readonly settings: HoldSettings
  readonly host: QueueHost
}

/**
 * Carries out an order on the queue of this host. An order may come twice, after the process that carried it out was killed:
 * then what is gone already counts as missed.
 *
 * @throws if Redis does not answer.
 */
export async function carryOut(place: QueuePlace, order: Order): Promise<CarriedOut> {
  try {
    const { task } = order
    return task.do === 'list'
      ? await listQueue(
          place.host.directory,
          await readOwn(place, order.tenant),
          task,
          task.for === 'headers' ? HEADERS : LIST,
        )
      : { answer: await drop(place, order, task) }
  } catch (error) {
    // Redis may answer again, and then the order is carried out; a file stays as it is.
    const isOfQueue = error instanceof UserError || (error instanceof Error && 'path' in error)
    if (!isOfQueue) throw error
    return { answer: { did: 'fail', reason: messageOf(error) } }
  }
}

async function drop(
  place: QueuePlace,
  { tenant, by }: Order,
  { list, hosts }: DropTask,
): Promise<Answer> {
  const { store, book, settings, host } = place
  if (!hosts.includes(hostText(host))) return { did: 'none' }
  const ids = await book.listed(list, host)
  if (!ids) return { did: 'fail', reason: 'its list is older than 15 minutes: list it again' }
  const { mail } = await readOwn(place, tenant, ids)
  const answer = await dropFromQueue(store.as(by), settings, { host, tenant }, mail)
  return { ...answer, missed: answer.missed + ids.size - mail.length }
}

async function readOwn(
  { store, settings, host: { directory } }: QueuePlace,
  tenant: string,
  only?: ReadonlySet<string>,
): ReturnType<typeof readQueue> {
  // A Haraka that only passes mail on may have none.
  if (!(await isThere(directory))) return { mail: [], unreadable: [], isKnown: true }
  const reading = { atOnce: AT_ONCE, ...(only && { only }) }
  return readQueue(store, settings, { directory, tenant, ...reading })
}

async function isThere(directory: string): Promise<boolean> {
  return stat(directory).then(
    () => true,
    (error: NodeJS.ErrnoException) => error.code !== 'ENOENT',
  )
}
