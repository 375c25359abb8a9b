import type { SenderClass } from '../decision/judge'

/** What other plugins find of a message in `transaction.notes.unregistered_domain`, and Haraka's queue keeps with it. */
export interface MessageNote {
  readonly tenant: string
  /** `tenant/name`; null: recognised without a connector. */
  readonly connector: string | null
  /** When it was received; null: the tenant could not be looked up. */
  readonly class: SenderClass | null
}

/** The note of a message in the queue. */
export interface QueuedNote extends MessageNote {
  /** An operator has dropped the message; this file only marks its place. */
  readonly dropped: boolean
}

type Notes = Record<string, unknown>

const KEY = 'unregistered_domain'

const CLASSES: readonly SenderClass[] = [
  'registered',
  'unregistered',
  'foreign',
  'forwarded',
  'null',
]

/** What `tenantctl queue TENANT drop` removes, by its current class: unregistered mail that is not a proven forward. */
export const DROPPABLE: ReadonlySet<SenderClass | null> = new Set(['unregistered', 'foreign'])

/** @param note `undefined`: the message belongs to no tenant. */
export function setNote(notes: Notes, note: MessageNote | QueuedNote | undefined): void {
  if (note) notes[KEY] = note
  else delete notes[KEY]
}

/** The note of a message; `undefined`: it belongs to no tenant, such as an alert or a bounce of Haraka's own. */
export function queuedNote(notes: Readonly<Notes>): QueuedNote | undefined {
  const note = notes[KEY]
  if (typeof note !== 'object' || note === null) return undefined
  const { tenant, connector, class: noted, dropped } = note as Notes
  if (typeof tenant !== 'string') return undefined
  return {
    tenant,
    connector: typeof connector === 'string' ? connector : null,
    class: CLASSES.find((each) => each === noted) ?? null,
    dropped: dropped === true,
  }
}
