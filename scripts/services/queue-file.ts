import { readFileSync } from 'node:fs'

/** The envelope of a file in Haraka's outbound queue. */
export interface QueuedMessage {
  uuid: string
  rcptTo: string[]
  /** `transaction.notes` */
  notes: Record<string, unknown>
}

/** The length of the JSON text, then the text, then the message (Haraka `outbound/index.js`, build_todo). */
export function readQueueFile(file: string): QueuedMessage {
  const bytes = readFileSync(file)
  const text = bytes.toString('utf8', 4, 4 + bytes.readUInt32BE(0))
  const todo = JSON.parse(text) as {
    uuid: string
    rcpt_to: { original: string }[]
    notes: Record<string, unknown>
  }
  const rcptTo = todo.rcpt_to.map(({ original }) => original.replace(/^<|>$/g, ''))
  return { uuid: todo.uuid, rcptTo, notes: todo.notes }
}
