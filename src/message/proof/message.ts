import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Refusal } from './finding'
import { MAX_HEADER, MAX_HEADER_LINES, MAX_LINE, MAX_SIZE } from './limits'

const LF = 0x0a
const CR = 0x0d
const CRLF = Buffer.from('\r\n')
const END_OF_HEADER = Buffer.from('\r\n\r\n')
/** A CR alone ends a line for some readers only, and the expressions of mailauth take long over many. */
const STRAY = /\r(?!\n)|\0/

/** A message that is not looked at, and why. */
export class Unreadable extends Error {
  constructor(readonly reason: Refusal) {
    super(reason)
  }
}

/** A message whose header has been read. */
export interface OpenMessage {
  /** With CRLF, up to the empty line and without it. */
  readonly header: Buffer
  /** What follows the empty line, in chunks with CRLF, once. @throws {Unreadable} past a limit, and what the source throws. */
  readonly body: AsyncIterable<Buffer>
}

/**
 * Reads the header of a message.
 *
 * @throws {Unreadable} if it has none, or is past a limit; and what the source throws.
 */
export async function openMessage(source: AsyncIterable<Buffer | string>): Promise<OpenMessage> {
  const chunks = checked(source)
  let read = Buffer.alloc(0)
  let from = 0
  for (;;) {
    // A message without header fields begins with the empty line.
    const end = read.subarray(0, 2).equals(CRLF) ? 0 : read.indexOf(END_OF_HEADER, from)
    if (end > MAX_HEADER || (end === -1 && read.length > MAX_HEADER)) {
      throw new Unreadable('header unreadable')
    }
    if (end !== -1) {
      const header = read.subarray(0, end)
      const text = header.toString('latin1')
      if (STRAY.test(text) || text.split('\n', MAX_HEADER_LINES + 1).length > MAX_HEADER_LINES) {
        throw new Unreadable('header unreadable')
      }
      const rest = read.subarray(end + (end === 0 ? CRLF : END_OF_HEADER).length)
      return { header, body: following(rest, chunks) }
    }
    const next = await chunks.next()
    if (next.done) throw new Unreadable('header unreadable')
    from = Math.max(0, read.length - END_OF_HEADER.length + 1)
    read = Buffer.concat([read, next.value])
  }
}

async function* following(
  first: Buffer,
  chunks: AsyncGenerator<Buffer, void>,
): AsyncGenerator<Buffer, void> {
  if (first.length > 0) yield first
  yield* chunks
}

/** The octets of a source with CRLF at the end of each line, which is what was signed, and within the limits. */
async function* checked(source: AsyncIterable<Buffer | string>): AsyncGenerator<Buffer, void> {
  let size = 0
  let lineLength = 0
  let last = 0
  for await (const piece of source) {
    const chunk = Buffer.from(piece)
    size += chunk.length
    if (size > MAX_SIZE) throw new Unreadable('too large')
    const before = last
    let bare = 0
    for (const octet of chunk) {
      if (octet === LF) {
        if (last !== CR) bare++
        lineLength = 0
      } else if (++lineLength > MAX_LINE) throw new Unreadable('line too long')
      last = octet
    }
    if (chunk.length > 0) yield bare === 0 ? chunk : withCrlf(chunk, before, bare)
    // Other sessions of the process have their turn between two chunks.
    await nextTurn()
  }
}

function withCrlf(chunk: Buffer, before: number, bare: number): Buffer {
  const result = Buffer.allocUnsafe(chunk.length + bare)
  let at = 0
  let last = before
  for (const octet of chunk) {
    if (octet === LF && last !== CR) result[at++] = CR
    result[at++] = octet
    last = octet
  }
  return result
}
