import { setTimeout as sleep } from 'node:timers/promises'
import { LruCache } from '../../base/lru-cache'
import { readIncidentQueue, type IncidentQueue } from '../../operations/incident-queue'
import { serverTime } from '../../store/server-clock'
import type { Store } from '../../store/store'
import type { Visit } from './page'

/** For so long hosts are not asked again, in ms: each reads its queue directory for it. */
const KEPT = 15_000
/** How long a page waits for hosts, in ms. What they answer later is shown by the page's next question. */
const PATIENCE = 250
const TENANTS = 50

/** What hosts have said of the queue of a tenant. */
export interface QueueLook {
  /** ms, server time */
  readonly at: number
  readonly queue: IncidentQueue
}

interface Looking {
  /** When they were asked, in ms of a monotonic clock. */
  readonly asked: number
  last: QueueLook | undefined
}

const known = new WeakMap<Store, LruCache<Looking>>()

/**
 * The queue of a tenant as hosts have told it last. They are asked for it when a page is opened, not when it asks again by
 * itself; one that does not answer keeps no page waiting.
 *
 * @returns `undefined`: they have not answered yet.
 */
export async function lookAtQueue(visit: Visit, tenant: string): Promise<QueueLook | undefined> {
  const looks = known.get(visit.store) ?? new LruCache<Looking>(TENANTS)
  known.set(visit.store, looks)
  const before = looks.get(tenant)
  const { writing } = visit
  if (!writing || visit.isPoll) return before?.last
  if (before && performance.now() < before.asked + KEPT) return before.last
  const looking: Looking = { asked: performance.now(), last: before?.last }
  looks.set(tenant, looking)
  const answered = ask(writing, tenant).then((look) => (looking.last = look))
  await Promise.race([answered, sleep(PATIENCE, undefined, { ref: false })])
  return looking.last
}

/** After something was removed: the next page asks again. */
export function forgetLook({ store }: Visit, tenant: string): void {
  known.get(store)?.delete(tenant)
}

async function ask(store: Store, tenant: string): Promise<QueueLook | undefined> {
  try {
    const at = await serverTime(store.client)
    return { at, queue: await readIncidentQueue(store, tenant) }
  } catch {
    // Redis is away, which the page says by itself.
    return undefined
  }
}
