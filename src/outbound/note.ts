import { classOfNote, type KnownClass, type MailClass } from '../mail/classes'

/** What other plugins find of a message in `transaction.notes.unregistered_domain`, and Haraka's queue keeps with it. */
export interface MessageNote {
  readonly tenant: string
  /** `tenant/name`; null: recognised without a connector. */
  readonly connector: string | null
  /** When it was received; null: the tenant could not be looked up. */
  readonly class: KnownClass | null
  /** An operator has dropped the message; this file only marks its place. */
  readonly dropped?: boolean
}

/** The note of a message in the queue. */
export interface QueuedNote extends Required<Omit<MessageNote, 'class'>> {
  readonly class: MailClass
}

type Notes = Record<string, unknown>

const KEY = 'unregistered_domain'

/** @param note `undefined`: the message belongs to no tenant. */
export function setNote(notes: Notes, note: MessageNote | undefined): void {
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
    class: classOfNote(noted),
    dropped: dropped === true,
  }
}
