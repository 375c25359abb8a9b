import { open, type FileHandle } from 'node:fs/promises'
import { headerLines } from '../message/header-lines'
import type { HarakaAddress } from '../names/envelope'

/** The part before the message in a file of Haraka's queue. */
export interface Envelope {
  readonly uuid: string
  /** Without angle brackets; empty for the null sender. */
  readonly mailFrom: string
  /** The same as an address object of Haraka. */
  readonly from: HarakaAddress
  readonly rcptTo: readonly string[]
  /** `transaction.notes` */
  readonly notes: Readonly<Record<string, unknown>>
  /** Where the message begins, in octets. */
  readonly length: number
}

/** Read first; enough for most envelopes, in octets. */
const AT_ONCE = 4096
/** Read of a header at most, in octets. */
const LONGEST_HEADER = 16 * 1024
/** However its lines end: nothing of the body may be shown. */
const HEADER_END = /^\r?\n|\r?\n\r?\n/
/** Larger than an envelope with 50,000 recipients: such a file is broken. In octets. */
const LONGEST = 64 * 1024 * 1024

/**
 * Reads the envelope of a queue file: the length of its JSON text, four octets, then the text (Haraka
 * `outbound/index.js`, `build_todo`).
 *
 * @throws as `fs.open`; Error where the file is no queue file.
 */
export async function readEnvelope(file: string): Promise<Envelope> {
  const handle = await open(file)
  try {
    const start = await read(handle, Buffer.alloc(AT_ONCE), 0)
    if (start.length < 4) throw new Error('shorter than an envelope')
    const length = 4 + start.readUInt32BE(0)
    if (length > LONGEST) throw new Error(`an envelope of ${length} octets`)
    const missing = length - start.length
    const rest = missing > 0 ? await read(handle, Buffer.alloc(missing), start.length) : undefined
    return parseEnvelope(rest ? Buffer.concat([start, rest]) : start)
  } finally {
    await handle.close()
  }
}

/**
 * Reads an envelope from octets.
 *
 * @param octets the beginning of the file, with at least the whole envelope.
 * @throws Error where it is no envelope.
 */
export function parseEnvelope(octets: Buffer): Envelope {
  const length = 4 + octets.readUInt32BE(0)
  if (octets.length < length) throw new Error('the envelope is cut off')
  const todo = JSON.parse(octets.toString('utf8', 4, length)) as {
    uuid: string
    mail_from: StoredAddress
    rcpt_to: StoredAddress[]
    notes?: Record<string, unknown>
  }
  return {
    uuid: todo.uuid,
    mailFrom: addressOf(todo.mail_from),
    from: restored(todo.mail_from),
    rcptTo: todo.rcpt_to.map(addressOf),
    notes: todo.notes ?? {},
    length,
  }
}

/** The JSON of both address classes of Haraka (address-rfc2821, @haraka/email-address). */
interface StoredAddress {
  /** As received. */
  readonly original: string
  readonly user?: string
  readonly host?: string
  readonly original_host?: string
}

function addressOf({ original }: StoredAddress): string {
  return original.replace(/^<|>$/g, '')
}

/** Both classes restore an address from its JSON by copying it. */
function restored(stored: StoredAddress): HarakaAddress {
  const { user, host, original_host } = stored
  return { address: addressOf(stored), host, original_host, isNull: () => !user }
}

/**
 * Reads the header of the message in a queue file: its fields, folded as they are; of a very long one the beginning. Nothing
 * of the body.
 *
 * @throws as {@link readEnvelope}.
 */
export async function readHeader(file: string): Promise<string[]> {
  const handle = await open(file)
  try {
    const start = await read(handle, Buffer.alloc(4), 0)
    if (start.length < 4) throw new Error('shorter than an envelope')
    const length = 4 + start.readUInt32BE(0)
    const message = await read(handle, Buffer.alloc(LONGEST_HEADER), length)
    const end = message.toString('latin1').search(HEADER_END)
    return headerLines(end === -1 ? message : message.subarray(0, end))
  } finally {
    await handle.close()
  }
}

async function read(handle: FileHandle, buffer: Buffer, position: number): Promise<Buffer> {
  let filled = 0
  while (filled < buffer.length) {
    const { bytesRead } = await handle.read(
      buffer,
      filled,
      buffer.length - filled,
      position + filled,
    )
    if (bytesRead === 0) break
    filled += bytesRead
  }
  return buffer.subarray(0, filled)
}
