import { isTenantId } from '../mail/identities'
import { parseQueueFilter, queueFilterText, type QueueFilter } from './filter'
import type { QueuedMail } from './tenant-queue'

/** A Haraka with a queue. Two of them may run on one host. */
export interface QueueHost {
  /** Of the operating system. */
  readonly name: string
  readonly directory: string
}

/** What is ordered of the queues of all hosts. */
export interface Order {
  readonly tenant: string
  /** Of the registry that it is about; empty: the registry has none. */
  readonly epoch: string
  /** Who gave it, as in {@link actorText}. */
  readonly by: string
  readonly task: ListTask | DropTask
}

/** Tells what mail there is. */
export interface ListTask {
  readonly do: 'list'
  readonly where: readonly QueueFilter[]
  /** `drop`: lists what a drop would remove, and keeps the ids of those messages; `headers`: with the header of each. */
  readonly for: 'list' | 'headers' | 'drop'
}

/** Removes what a host has listed before, and nothing else. */
export interface DropTask {
  readonly do: 'drop'
  /** Id of the order that listed it. */
  readonly list: string
  /** Names of hosts whose list was confirmed. */
  readonly hosts: readonly string[]
}

/** A number of messages and their recipients. */
export interface Amount {
  readonly messages: number
  readonly recipients: number
}

/** A message in the queue of a host, for people. */
export interface ListedMail extends Pick<
  QueuedMail,
  'file' | 'class' | 'connector' | 'sender' | 'size' | 'arrived' | 'nextAttempt' | 'failures'
> {
  /** The first of them. */
  readonly recipients: readonly string[]
  /** How many there are. */
  readonly recipientCount: number
  /** It waits until the restriction of its tenant is lifted. */
  readonly held: boolean
  /** The fields of its header, folded as they are; `undefined`: not asked for. */
  readonly headers?: readonly string[]
}

/** The mail of a tenant in the queue of one host, as far as the filters let it through. */
export interface ListAnswer {
  readonly did: 'list'
  /** Oldest first; the first of them. */
  readonly mail: readonly ListedMail[]
  readonly all: Amount
  /** Messages of each class that there is. */
  readonly classes: Readonly<Record<string, number>>
  readonly held: Amount
  /** What a drop removes. */
  readonly droppable: Amount
  /** What of {@link droppable} can be dropped at once; none where the list was not made for that. */
  readonly toDrop: Amount
  /** Names of files in the queue that cannot be read; the first of them. */
  readonly unreadable: readonly string[]
}

export interface DropAnswer {
  readonly did: 'drop'
  readonly dropped: Amount
  /** Delivered, or given up, before they could be removed. */
  readonly missed: number
  /** Not removed: its domain was registered since they were listed. */
  readonly registered: number
  /** Of {@link dropped}: Haraka may have begun to deliver them. */
  readonly begun: number
}

/** The host could not do it. */
export interface FailedAnswer {
  readonly did: 'fail'
  readonly reason: string
}

/** `none`: the order is not for this host. */
export type Answer = ListAnswer | DropAnswer | FailedAnswer | { readonly did: 'none' }

/** The name of a host in Redis. */
export function hostText({ name, directory }: QueueHost): string {
  return `${name}:${directory}`
}

export function parseHost(text: string): QueueHost {
  const at = text.indexOf(':')
  return { name: text.slice(0, at), directory: text.slice(at + 1) }
}

export function formatOrder({ task, ...order }: Order): string {
  const where = task.do === 'list' && { where: task.where.map(queueFilterText) }
  return JSON.stringify({ ...order, task: { ...task, ...where } })
}

/** `undefined`: it has another form, such as that of a later version. */
export function parseOrder(json: string): Order | undefined {
  try {
    const { tenant, epoch, by, task } = JSON.parse(json) as Record<string, unknown>
    if (typeof tenant !== 'string' || !isTenantId(tenant)) return undefined
    if (typeof epoch !== 'string' || typeof by !== 'string') return undefined
    const parsed = parseTask(task as Record<string, unknown>)
    return parsed && { tenant, epoch, by, task: parsed }
  } catch {
    return undefined
  }
}

/** @throws where it has another form. */
function parseTask(task: Record<string, unknown>): Order['task'] | undefined {
  if (task['do'] === 'list') {
    const { where, for: purpose } = task
    if (!isStrings(where)) return undefined
    if (purpose !== 'list' && purpose !== 'headers' && purpose !== 'drop') return undefined
    return { do: 'list', where: where.map(parseQueueFilter), for: purpose }
  }
  const { list, hosts } = task
  if (task['do'] !== 'drop' || typeof list !== 'string' || !isStrings(hosts)) return undefined
  return { do: 'drop', list, hosts }
}

/** An answer of another version that this one does not understand is a failure. */
export function parseAnswer(json: string): Answer {
  const answer = JSON.parse(json) as Answer
  if (['list', 'drop', 'none', 'fail'].includes(answer.did)) return answer
  return { did: 'fail', reason: 'it runs another version' }
}

function isStrings(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((each) => typeof each === 'string')
}
