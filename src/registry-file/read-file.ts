// Reads a backup or snapshot: JSON lines between a header and a last line that proves them.
import { isUtf8 } from 'node:buffer'
import { createHash, type Hash } from 'node:crypto'
import { constants } from 'node:fs'
import { open, type FileHandle } from 'node:fs/promises'
import { InputError, messageOf } from '../base/errors'
import { assertMayName, ROOT } from '../base/owned-file'
import {
  damaged,
  foreign,
  LONGEST_LINE,
  parseEnd,
  parseHeader,
  parseObject,
  type End,
  type Header,
  type Verified,
} from './format'
import { toRecord, type RegistryRecord } from './record'

const CHUNK = 64 * 1024
const NEWLINE = 10

/**
 * Checks a whole file.
 *
 * @throws {InputError} it cannot be read, has another format, or is damaged: with the line.
 */
export async function verifyFile(file: string): Promise<Verified> {
  const opened = await openRecords(file)
  try {
    return await opened.verify()
  } finally {
    await opened.close()
  }
}

/** The user may not read the file. */
export class BarredError extends InputError {}

function unreadable(file: string, error: unknown): InputError {
  const { code = messageOf(error) } = error as NodeJS.ErrnoException
  const what = `${file} cannot be read (${code})`
  if (code === 'EACCES') {
    return new BarredError(`${what}: run tenantctl as root, or as the user of Haraka`)
  }
  return new InputError(`${what}: ${code === 'ENOENT' ? 'it does not exist' : 'name another file'}`)
}

/**
 * Opens a file, reads its header, and lets its records be read any number of times.
 *
 * @param namedBy uid of the owner of the ini file that names it.
 * @throws {BarredError} it may not be read.
 * @throws {InputError} it cannot be read, the ini file may not name it, or it has another format.
 */
export async function openRecords(file: string, namedBy = ROOT): Promise<RecordFile> {
  let handle: FileHandle
  try {
    // Not blocking: opening a pipe without a writer would never end.
    handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK)
  } catch (error) {
    throw unreadable(file, error)
  }
  try {
    const found = await handle.stat()
    if (!found.isFile()) {
      throw new InputError(`${file} is no regular file: name one that tenantctl backup wrote`)
    }
    assertMayName(namedBy, file, found.uid)
    for await (const { text, where } of linesOf(file, handle)) {
      return new RecordFile(file, handle, parseHeader(text, where))
    }
    throw foreign(file)
  } catch (error) {
    await handle.close()
    throw error
  }
}

/** An open file: one that replaces it meanwhile makes no difference. */
export class RecordFile {
  constructor(
    readonly file: string,
    private readonly handle: FileHandle,
    readonly header: Header,
  ) {}

  /**
   * Its records in order, one in memory at a time. A caller that must not act on a damaged file calls {@link verify} first.
   *
   * @throws {InputError} it is damaged, which may be found as late as at its end.
   */
  async *records(): AsyncGenerator<RegistryRecord, Verified> {
    const hash = createHash('sha256')
    let tenant: string | undefined
    let records = -1
    let end: End | undefined
    let octets = 0
    for await (const { line, text, where } of linesOf(this.file, this.handle)) {
      octets += line.length + 1
      if (end) throw damaged(where, 'there is more behind the last line')
      if (records >= 0) {
        const value = parseObject(text, where)
        end = parseEnd(value, where)
        if (end) {
          assertEnd(end, records, hash, where)
          continue
        }
        const record = toRecord(value, where)
        if (record.type === 'tenant') tenant = record.id
        else if (record.type === 'domains' && record.tenant !== tenant) {
          throw damaged(where, `domains of ${record.tenant} stand behind another tenant`)
        }
        yield record
      }
      hash.update(line).update('\n')
      records++
    }
    if (!end) throw damaged(this.file, 'the last line is missing')
    return { header: this.header, ...end, octets }
  }

  /** Reads all of it. @throws {InputError} it is damaged. */
  async verify(): Promise<Verified> {
    const records = this.records()
    for (;;) {
      const next = await records.next()
      if (next.done) return next.value
    }
  }

  async close(): Promise<void> {
    await this.handle.close()
  }
}

function assertEnd(end: End, records: number, hash: Hash, where: string): void {
  if (end.records !== records) {
    throw damaged(where, `${records} records stand before the last line, which says ${end.records}`)
  }
  if (hash.digest('hex') !== end.sha256) throw damaged(where, 'the checksum does not fit')
}

interface Line {
  /** Without its line break. */
  readonly line: Buffer
  readonly text: string
  /** `FILE:LINE` */
  readonly where: string
}

/** The lines of a file from its beginning. @throws {InputError} not text, a line too long, an incomplete last line. */
async function* linesOf(file: string, handle: FileHandle): AsyncGenerator<Line> {
  const chunk = Buffer.allocUnsafe(CHUNK)
  let position = 0
  let number = 1
  let parts: Buffer[] = []
  let length = 0
  for (;;) {
    const { bytesRead } = await handle.read(chunk, 0, CHUNK, position).catch((error: unknown) => {
      throw new InputError(`${file} cannot be read (${messageOf(error)}): take another one`)
    })
    if (bytesRead === 0) break
    position += bytesRead
    let from = 0
    while (from < bytesRead) {
      const at = chunk.subarray(0, bytesRead).indexOf(NEWLINE, from)
      const to = at === -1 ? bytesRead : at
      length += to - from
      const where = `${file}:${number}`
      if (length > LONGEST_LINE) {
        throw number === 1
          ? foreign(where)
          : damaged(where, `the line is longer than ${LONGEST_LINE} octets`)
      }
      parts.push(Buffer.from(chunk.subarray(from, to)))
      from = to + 1
      if (at === -1) break
      const line = parts.length === 1 ? parts[0]! : Buffer.concat(parts)
      if (!isUtf8(line))
        throw number === 1 ? foreign(where) : damaged(where, 'the line is no UTF-8')
      yield { line, text: line.toString(), where }
      number++
      parts = []
      length = 0
    }
  }
  if (length > 0)
    throw number === 1 ? foreign(file) : damaged(`${file}:${number}`, 'the line is cut short')
}
