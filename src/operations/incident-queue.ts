import { UserError } from '../base/errors'
import { CLASSES } from '../mail/classes'
import type { Amount } from '../outbound/order'
import { isNotAllowed } from '../store/failure'
import type { Store } from '../store/store'
import { askQueues, type QueueList } from './queue-orders'

/** The queues of all hosts; or in words why none was asked, which must not keep a person from the rest. */
export type IncidentQueue = QueueList | { readonly problem: string }

export function isAnswered(queue: IncidentQueue): queue is QueueList {
  return !('problem' in queue)
}

/** @throws what ioredis throws where Redis gave no answer. */
export async function readIncidentQueue(store: Store, tenant: string): Promise<IncidentQueue> {
  try {
    return await askQueues(store, { tenant, for: 'list' })
  } catch (error) {
    if (error instanceof UserError) return { problem: error.message }
    if (isNotAllowed(error)) return { problem: 'this Redis user may not give orders to hosts' }
    throw error
  }
}

/** What a drop would remove, by connector (`tenant/name`; empty: none matched), of the mail that hosts have listed. */
export function droppableByConnector(queue: IncidentQueue): Map<string, Amount> {
  const amounts = new Map<string, Amount>()
  if (!isAnswered(queue)) return amounts
  for (const { class: of, connector, recipientCount } of queue.hosts.flatMap(({ mail }) => mail)) {
    if (!CLASSES[of].queue.droppable) continue
    const { messages, recipients } = amounts.get(connector ?? '') ?? { messages: 0, recipients: 0 }
    amounts.set(connector ?? '', {
      messages: messages + 1,
      recipients: recipients + recipientCount,
    })
  }
  return amounts
}
