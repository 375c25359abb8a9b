import { count } from '../base/count'
import { noSuchTenant } from '../base/errors'
import { queuedClass } from '../decision/classify'
import { isHeld } from '../decision/held'
import type { Snapshot } from '../directory/snapshot'
import { readSnapshot } from '../directory/snapshot-reader'
import { dropMail, type DropResult } from '../outbound/drop'
import { CLASSES } from '../mail/classes'
import { readTenantQueue, type QueuedMail } from '../outbound/tenant-queue'
import { addEntry } from '../records/audit-trail'
import type { Store } from '../store/store'

/** A message in the queue, with its class now. */
export interface Queued extends QueuedMail {
  /** It waits until the restriction of its tenant is lifted. */
  readonly held: boolean
  /** Whether {@link dropFromQueue} removes it. */
  readonly droppable: boolean
}

/** The mail of a tenant in the queue of one host. */
export interface QueueOfTenant {
  /** Oldest first. */
  readonly mail: readonly Queued[]
  /** Names of unreadable files. */
  readonly unreadable: readonly string[]
}

type HoldSettings = Parameters<typeof isHeld>[2]

/**
 * Reads the mail of a tenant in a queue directory, with its present classes; for a removed tenant, with the classes at
 * arrival.
 *
 * @throws {NotFoundError} neither the registry nor the queue knows the tenant.
 * @throws {UserError} the queue cannot be read.
 */
export async function readQueue(
  store: Store,
  settings: HoldSettings,
  directory: string,
  tenant: string,
): Promise<QueueOfTenant> {
  const [snapshot, { mail, unreadable }] = await Promise.all([
    readSnapshot(store, tenant, undefined),
    readTenantQueue(directory, tenant),
  ])
  if (!snapshot && mail.length === 0) throw noSuchTenant(tenant)
  return { mail: mail.map((each) => asOfNow(each, snapshot, settings)), unreadable }
}

/** The result of {@link dropFromQueue}. */
export interface Dropped extends DropResult<Queued> {
  /** Not removed: its domain was registered after `mail` was read. */
  readonly registered: readonly Queued[]
}

/**
 * Deletes the droppable messages of `mail` from the queue without a bounce, after an audit entry. Classifies them again
 * first: a domain may have been registered while the operator was deciding.
 *
 * @param host where the queue is, for the trail.
 */
export async function dropFromQueue(
  store: Store,
  settings: HoldSettings,
  { directory, host, tenant }: { directory: string; host: string; tenant: string },
  mail: readonly Queued[],
): Promise<Dropped> {
  const snapshot = await readSnapshot(store, tenant, undefined)
  const asked = mail.filter(({ droppable }) => droppable)
  const now = asked.map((each) => asOfNow(each, snapshot, settings))
  const unwanted = now.filter(({ droppable }) => droppable)
  const registered = now.filter(({ droppable }) => !droppable)
  if (unwanted.length === 0) return { dropped: [], missed: [], registered }
  await addEntry(store, store.keys.audit(tenant), {
    subject: tenant,
    what: 'queue dropped',
    to: `${amountOf(unwanted)} on ${host}`,
  })
  const { dropped, missed } = await dropMail(directory, unwanted)
  return { dropped, missed, registered }
}

/** For people: `2 messages for 5 recipients`. */
export function amountOf(mail: readonly QueuedMail[]): string {
  return `${count(mail.length, 'message')} for ${count(recipientsOf(mail), 'recipient')}`
}

export function recipientsOf(mail: readonly QueuedMail[]): number {
  return mail.reduce((sum, { recipients }) => sum + recipients.length, 0)
}

function asOfNow(mail: QueuedMail, snapshot: Snapshot | undefined, settings: HoldSettings): Queued {
  const now = snapshot ? queuedClass(mail.class, mail.from, snapshot) : mail.class
  const held = snapshot !== undefined && isHeld(now, snapshot, settings)
  return { ...mail, class: now, held, droppable: CLASSES[now].queue.droppable }
}
