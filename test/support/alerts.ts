import { ContactTemplates } from '../../src/alerts/contact-templates'
import type { Alert } from '../../src/records/event'
import type { Store } from '../../src/store/store'
import { waitFor } from '../../scripts/services/wait-for'

let alerts = 0

/** A new alert, as in the stream of events. */
export function anAlert(more: Partial<Alert> = {}): Alert {
  const id = more.id ?? `evt_${String(++alerts).padStart(20, '0')}`
  return {
    id,
    alert: id,
    kind: 'restricted',
    severity: 'High',
    title: 'Tenant restricted from sending unprovisioned email: contoso',
    tenant: 'contoso',
    at: new Date().toISOString(),
    count: 1,
    facts: { case: 'contoso:1' },
    next: ['tenantctl case show contoso:1'],
    ...more,
  }
}

/** Puts an alert into the stream, as the forwarder of events does. */
export async function addToStream(
  { client, keys }: Store,
  alert: Alert | string,
  { joined = false } = {},
): Promise<void> {
  const { kind, tenant } = typeof alert === 'string' ? { kind: 'x', tenant: 'x' } : alert
  const json = typeof alert === 'string' ? alert : JSON.stringify(alert)
  const fields = { kind, tenant, joined: joined ? '1' : '', json }
  await client.xadd(keys.events, '*', ...Object.entries(fields).flat())
}

/** How many entries a channel has received and not acknowledged; with `consumer`, of that consumer. */
export async function pending(
  { client, keys }: Store,
  channel: string,
  consumer?: string,
): Promise<number> {
  const [count, , , consumers] = (await client.xpending(keys.events, channel)) as [
    number,
    unknown,
    unknown,
    [string, string][] | null,
  ]
  if (consumer === undefined) return count
  return Number(consumers?.find(([name]) => name === consumer)?.[1] ?? 0)
}

/** How many channels read the stream. */
export async function channels({ client, keys }: Store): Promise<number> {
  const all = (await client.xinfo('GROUPS', keys.events).catch(() => [])) as unknown[]
  return all.length
}

/** Waits until this many channels read the stream: alerts from now on are delivered. */
export async function begun(store: Store, count = 3): Promise<void> {
  await waitFor(async () => (await channels(store)) === count, { what: 'the channels have begun' })
}

/** The shipped texts to contacts. */
export const SHIPPED_TEXTS = new ContactTemplates(
  () => ({ directory: '', read: () => Buffer.alloc(0) }),
  (message) => {
    throw new Error(message)
  },
)
