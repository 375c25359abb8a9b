import { setTimeout as sleep } from 'node:timers/promises'
import { noSuchTenant, UserError } from '../base/errors'
import { isStopped, type Work } from '../base/work'
import type { QueueFilter } from '../outbound/filter'
import {
  hostText,
  parseHost,
  type Amount,
  type Answer,
  type DropAnswer,
  type ListAnswer,
  type ListTask,
  type Order,
  type QueueHost,
} from '../outbound/order'
import { OrderBook, VALID, type KnownHost } from '../outbound/order-book'
import { readEpoch } from '../registry/epoch'
import { TenantRegistry } from '../registry/tenant-registry'
import type { Store } from '../store/store'
import { noteShown } from './queue'

/** How long a host may take to begin, in ms; once it works it is waited for. */
export const PATIENCE = 5000
/** Between two looks, in ms. */
const AGAIN = 100

/** A host that has not answered. */
export interface SilentHost extends KnownHost {
  /** It had begun, and may still do it. */
  readonly hasBegun: boolean
}

/** A host that could not do it. */
export interface FailedHost {
  readonly host: QueueHost
  readonly reason: string
}

/** The hosts without a result. */
export interface MissingHosts {
  readonly silent: readonly SilentHost[]
  readonly failed: readonly FailedHost[]
}

/** What is asked of the queues of all hosts. */
export interface QueueQuestion {
  readonly tenant: string
  /** Only mail that passes all of them. */
  readonly where?: readonly QueueFilter[]
  /** As in {@link ListTask}. */
  readonly for: ListTask['for']
}

/** The mail of a tenant in the queues of all hosts. */
export interface QueueList extends MissingHosts {
  /** Id of the order. */
  readonly order: string
  readonly tenant: string
  readonly hosts: readonly HostList[]
}

export type HostList = ListAnswer & { readonly host: QueueHost }

/** What {@link dropFromQueues} has done. */
export interface DroppedFromQueues extends MissingHosts {
  readonly hosts: readonly HostDrop[]
}

export type HostDrop = DropAnswer & { readonly host: QueueHost }

/**
 * Lists the mail of a tenant in the queues of all hosts that follow this Redis: of each the 1,000 oldest messages (with
 * headers 50), and how many there are. With `for: 'headers'` it adds an entry to the audit trail.
 *
 * @param work ends the waiting for hosts that have not answered.
 * @throws {NotFoundError} neither the registry nor a queue knows the tenant.
 * @throws {UserError} no host follows this Redis.
 * @throws {RefusedError} too many orders were given.
 */
export async function askQueues(
  store: Store,
  { tenant, where = [], for: purpose }: QueueQuestion,
  work: Work = {},
): Promise<QueueList> {
  const isKnown = (await new TenantRegistry(store).get(tenant)) !== undefined
  const task: ListTask = { do: 'list', where, for: purpose }
  const { id, answers, ...missing } = await give(store, tenant, task, work)
  const hosts = [...answers].flatMap(([name, answer]) =>
    answer.did === 'list' ? [{ ...answer, host: parseHost(name) }] : [],
  )
  const found = sumOf(hosts.map(({ all }) => all))
  if (!isKnown && found.messages === 0 && missing.silent.length === 0) throw noSuchTenant(tenant)
  if (purpose === 'headers') await noteShown(store, tenant, where)
  return { order: id, tenant, hosts, ...missing }
}

/**
 * Deletes the messages that a list named, where they still are unregistered, without a bounce; each host adds an entry to the
 * audit trail. What came after the list stays. A host that does not answer may still do it within 15 minutes.
 *
 * @param list made `for: 'drop'`, no more than 15 minutes ago.
 * @throws {RefusedError} too many orders were given.
 */
export async function dropFromQueues(
  store: Store,
  { order: list, tenant, hosts }: QueueList,
  work: Work = {},
): Promise<DroppedFromQueues> {
  const named = hosts.filter(({ toDrop }) => toDrop.messages > 0).map(({ host }) => host)
  if (named.length === 0) return { hosts: [], silent: [], failed: [] }
  const task = { do: 'drop', list, hosts: named.map(hostText) } as const
  const { answers, ...missing } = await give(store, tenant, task, work)
  const done = [...answers].flatMap(([name, answer]) =>
    answer.did === 'drop' ? [{ ...answer, host: parseHost(name) }] : [],
  )
  return { hosts: done, ...missing }
}

/** The amount of all hosts. */
export function sumOf(amounts: readonly Amount[]): Amount {
  return amounts.reduce(
    (sum, { messages, recipients }) => ({
      messages: sum.messages + messages,
      recipients: sum.recipients + recipients,
    }),
    { messages: 0, recipients: 0 },
  )
}

interface Given extends MissingHosts {
  readonly id: string
  readonly answers: ReadonlyMap<string, Answer>
}

/** Gives an order, and waits for the answers. */
async function give(store: Store, tenant: string, task: Order['task'], work: Work): Promise<Given> {
  const book = new OrderBook(store)
  const epoch = (await readEpoch(store))?.epoch ?? ''
  const { id, hosts } = await book.place({ tenant, epoch, by: store.actor, task })
  const asked = task.do === 'list' ? hosts : task.hosts.map((name) => knownAs(name, hosts))
  if (asked.length === 0) {
    await book.withdraw(id)
    throw new UserError(NO_HOST, 1)
  }
  const names = asked.map(({ host }) => hostText(host))
  const begun = await wait(book, id, names, work)
  const answers = await book.answers(id)
  // A list is worth nothing to a host that comes later; a drop is still to be done.
  if (task.do === 'list') await book.withdraw(id, task.for === 'drop')
  const silent = asked
    .filter(({ host }) => !answers.has(hostText(host)))
    .map((each) => ({ ...each, hasBegun: begun.includes(hostText(each.host)) }))
  const failed = [...answers].flatMap(([name, answer]) =>
    answer.did === 'fail' ? [{ host: parseHost(name), reason: answer.reason }] : [],
  )
  return { id, answers, silent, failed }
}

function knownAs(name: string, hosts: readonly KnownHost[]): KnownHost {
  const known = hosts.find(({ host }) => hostText(host) === name)
  return known ?? { host: parseHost(name), ago: undefined }
}

/** Waits for the answers of hosts. @returns those that have begun, and not answered. */
async function wait(
  book: OrderBook,
  id: string,
  names: readonly string[],
  work: Work,
): Promise<readonly string[]> {
  const since = performance.now()
  for (;;) {
    const answered = new Set(await book.answered(id))
    const silent = names.filter((name) => !answered.has(name))
    work.progress?.(names.length - silent.length, names.length)
    if (silent.length === 0) return []
    const waited = performance.now() - since
    const isOver = waited > PATIENCE || isStopped(work)
    const working = isOver ? await book.working(id, silent) : []
    if (isOver && (working.length === 0 || waited > VALID || isStopped(work))) return working
    await sleep(AGAIN)
  }
}

const NO_HOST =
  'no Haraka of this version has said within a day that it follows this Redis: on each host, use --local'
