import { setImmediate } from 'node:timers/promises'
import { count } from '../base/count'
import { batchesOf } from '../base/lists'
import { queuedClass } from '../decision/classify'
import { isHeld } from '../decision/held'
import type { Snapshot } from '../directory/snapshot'
import { readSnapshot } from '../directory/snapshot-reader'
import { dropMail } from '../outbound/drop'
import { CLASSES } from '../mail/classes'
import { queueFilterText, type QueueFilter } from '../outbound/filter'
import type { Amount, DropAnswer, QueueHost } from '../outbound/order'
import { readTenantQueue, type QueuedMail, type QueueReading } from '../outbound/tenant-queue'
import { addEntry } from '../records/audit-trail'
import type { Store } from '../store/store'

/** Messages classified in one turn of the event loop. */
const BATCH = 200

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
  /** Whether the registry has the tenant. */
  readonly isKnown: boolean
}

/** What decides whether mail is held. */
export type HoldSettings = Parameters<typeof isHeld>[3]

/**
 * Reads the mail of a tenant in a queue directory, with its present classes; for a removed tenant, with the classes at
 * arrival.
 *
 * @throws {UserError} the queue cannot be read.
 */
export async function readQueue(
  store: Store,
  settings: HoldSettings,
  { directory, tenant, ...reading }: QueueReading & { directory: string; tenant: string },
): Promise<QueueOfTenant> {
  const [snapshot, { mail, unreadable }] = await Promise.all([
    readSnapshot(store, tenant, undefined),
    readTenantQueue(directory, tenant, reading),
  ])
  const now: Queued[] = []
  for (const batch of batchesOf(mail, BATCH)) {
    now.push(...batch.map((each) => asOfNow(each, snapshot, settings)))
    // A process that handles mail reads this too.
    await setImmediate()
  }
  return { mail: now, unreadable, isKnown: snapshot !== undefined }
}

/**
 * Deletes the droppable messages of `mail` from the queue without a bounce, after an audit entry. Classifies them again
 * first: a domain may have been registered while the operator was deciding.
 */
export async function dropFromQueue(
  store: Store,
  settings: HoldSettings,
  { host, tenant }: { readonly host: QueueHost; readonly tenant: string },
  mail: readonly Queued[],
): Promise<DropAnswer> {
  const snapshot = await readSnapshot(store, tenant, undefined)
  const now = mail.map((each) => asOfNow(each, snapshot, settings))
  const unwanted = now.filter(({ droppable }) => droppable)
  const registered = now.length - unwanted.length
  if (unwanted.length === 0) return { ...NOTHING_DROPPED, registered }
  await addEntry(store, store.keys.audit(tenant), {
    subject: tenant,
    what: 'queue dropped',
    to: `${amountText(amountOf(unwanted))} on ${host.name}`,
  })
  const { dropped, missed } = await dropMail(host.directory, unwanted)
  return {
    did: 'drop',
    dropped: amountOf(dropped),
    missed: missed.length,
    registered,
    begun: begunOf(dropped),
  }
}

const NOTHING_DROPPED: DropAnswer = {
  ...{ did: 'drop', dropped: { messages: 0, recipients: 0 }, missed: 0, registered: 0, begun: 0 },
}

/** Notes in the audit trail that somebody looks at headers of queued mail. */
export async function noteShown(
  store: Store,
  tenant: string,
  where: readonly QueueFilter[],
): Promise<void> {
  const to = where.map(queueFilterText).join(' ') || 'all'
  await addEntry(store, store.keys.audit(tenant), { subject: tenant, what: 'queue shown', to })
}

/** How much mail that is. */
export function amountOf(mail: readonly QueuedMail[]): Amount {
  const recipients = mail.reduce((sum, each) => sum + each.recipients.length, 0)
  return { messages: mail.length, recipients }
}

/** For people: `2 messages for 5 recipients`. */
export function amountText({ messages, recipients }: Amount): string {
  return `${count(messages, 'message')} for ${count(recipients, 'recipient')}`
}

/** How many of these messages Haraka may have begun to deliver. */
function begunOf(mail: readonly Queued[]): number {
  const now = Date.now()
  return mail.filter(({ held, nextAttempt }) => !held && nextAttempt <= now).length
}

function asOfNow(mail: QueuedMail, snapshot: Snapshot | undefined, settings: HoldSettings): Queued {
  const now = snapshot ? queuedClass(mail.class, mail.from, snapshot) : mail.class
  const held = snapshot !== undefined && isHeld(now, snapshot, mail.arrived, settings)
  return { ...mail, class: now, held, droppable: CLASSES[now].queue.droppable }
}
