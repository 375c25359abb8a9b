import type { SenderClass } from '../decision/judge'

/** What the plugin has noted of a message, as it stands in the queue (`notes.unregistered_domain`). */
export interface QueuedNote {
  readonly tenant: string
  /** `tenant/name`; null: recognised without a connector. */
  readonly connector: string | null
  /** When it came; null: the tenant could not be asked for. */
  readonly class: SenderClass | null
  /** An operator has dropped the message, and this file stands in its place. */
  readonly dropped: boolean
}

const CLASSES: readonly SenderClass[] = [
  'registered',
  'unregistered',
  'foreign',
  'forwarded',
  'null',
]

/** What `tenantctl queue TENANT drop` removes, by its class as of now: unregistered mail that nothing speaks for. */
export const DROPPABLE: ReadonlySet<SenderClass | null> = new Set(['unregistered', 'foreign'])

/** The note of a message; `undefined`: it is of no tenant, such as an alert or a bounce of Haraka's own. */
export function queuedNote(notes: Readonly<Record<string, unknown>>): QueuedNote | undefined {
  const note = notes['unregistered_domain']
  if (typeof note !== 'object' || note === null) return undefined
  const { tenant, connector, class: noted, dropped } = note as Record<string, unknown>
  if (typeof tenant !== 'string') return undefined
  return {
    tenant,
    connector: typeof connector === 'string' ? connector : null,
    class: CLASSES.find((each) => each === noted) ?? null,
    dropped: dropped === true,
  }
}
