import { readFileSync } from 'node:fs'
import { parseEnvelope, type Envelope } from '../../src/outbound/envelope'

/** The envelope of a file in Haraka's outbound queue. */
export type QueuedMessage = Envelope

/** Reads it in one call. */
export function readQueueFile(file: string): QueuedMessage {
  return parseEnvelope(readFileSync(file))
}
