import { isUtf8 } from 'node:buffer'
import { createHash, randomBytes, type Hash } from 'node:crypto'
import { constants } from 'node:fs'
import {
  lstat,
  open,
  readdir,
  readlink,
  rename,
  stat,
  unlink,
  type FileHandle,
} from 'node:fs/promises'
import path from 'node:path'
import { InputError, messageOf, UserError } from '../base/errors'
import { assertMayName, ROOT } from '../base/owned-file'
import {
  damaged,
  foreign,
  formatEnd,
  formatHeader,
  parseEnd,
  parseHeader,
  parseObject,
  type End,
  type Header,
} from './format'
import { toRecord, type RegistryRecord } from './record'

/** The longest line that is written or read, in octets: one line is in memory at a time. */
export const LONGEST_LINE = 8 * 1024 * 1024
const CHUNK = 64 * 1024
const NEWLINE = 10
/** A temporary file that has not changed for so long was left by a killed process, in ms. */
const LEFT_BEHIND = 3_600_000

/** A file that has been found complete. */
export interface Verified extends End {
  readonly header: Header
  readonly octets: number
}

/** What was written. */
export type Written = Verified

/** Receives the next part of the file; resolves when there is room for more. */
export type Sink = (text: string) => Promise<unknown>

/**
 * Writes a whole file in parts: the header, the lines, and the last line with their number and checksum.
 *
 * @param lines each without its line break, as `formatRecord` gives them.
 * @throws what `lines` or `sink` throws.
 */
export async function writeTo(
  sink: Sink,
  header: Header,
  lines: AsyncIterable<string> | Iterable<string>,
): Promise<Written> {
  const hash = createHash('sha256')
  let records = 0
  let octets = 0
  let pending = `${formatHeader(header)}\n`
  const flush = async (): Promise<void> => {
    hash.update(pending)
    octets += Buffer.byteLength(pending)
    await sink(pending)
    pending = ''
  }
  for await (const line of lines) {
    if (line.length > LONGEST_LINE / 4 && Buffer.byteLength(line) >= LONGEST_LINE) {
      throw new UserError(
        `a record of more than ${LONGEST_LINE} octets cannot be kept: ${line.slice(0, 100)}…`,
        1,
      )
    }
    records++
    pending += `${line}\n`
    if (pending.length >= CHUNK) await flush()
  }
  if (pending !== '') await flush()
  const end = { records, sha256: hash.digest('hex') }
  const last = `${formatEnd(end)}\n`
  await sink(last)
  return { header, ...end, octets: octets + Buffer.byteLength(last) }
}

/**
 * Writes a file, all of it or nothing: into a temporary file beside it that only this user may read, which replaces it when
 * all is on disk. If that fails, an existing file stays as it was.
 *
 * @param file an absolute path. Anything but a regular file is refused, a symbolic link too.
 * @param options `verify`: read it back before it replaces an older one.
 * @throws {UserError} it cannot be written; and what `lines` throws.
 */
export async function writeLines(
  file: string,
  header: Header,
  lines: AsyncIterable<string> | Iterable<string>,
  { verify = false } = {},
): Promise<Written> {
  await assertReplaceable(file)
  await removeLeftBehind(file)
  const temporary = `${temporaryOf(file)}${randomBytes(8).toString('hex')}`
  const handle = await onDisk(file, () => open(temporary, 'wx', 0o600))
  try {
    const sink: Sink = (text) => onDisk(file, () => handle.appendFile(text))
    const written = await writeTo(sink, header, lines)
    await onDisk(file, () => handle.sync())
    if (verify) await assertSame(file, temporary, written)
    await onDisk(file, () => rename(temporary, file))
    await syncDirectory(path.dirname(file))
    return written
  } catch (error) {
    await unlink(temporary).catch(() => {})
    throw error
  } finally {
    await handle.close().catch(() => {})
  }
}

async function assertReplaceable(file: string): Promise<void> {
  const there = await lstat(file).catch(() => undefined)
  if (there === undefined || there.isFile()) return
  if (there.isSymbolicLink()) {
    const target = await readlink(file)
    throw new UserError(
      `${file} is a symbolic link to ${target}, and would be replaced itself: name that file`,
      1,
    )
  }
  throw new UserError(`${file} is there already and is no regular file: name another one`, 1)
}

async function assertSame(file: string, temporary: string, written: Written): Promise<void> {
  const { sha256, records } = await verifyFile(temporary)
  if (sha256 === written.sha256 && records === written.records) return
  throw new UserError(`${file}: what was read back is not what was written: check the disk`, 1)
}

/** The beginning of the names of temporary files for `file`; short enough for any name. */
function temporaryOf(file: string): string {
  return path.join(path.dirname(file), `.${path.basename(file).slice(0, 100)}.new-`)
}

async function removeLeftBehind(file: string): Promise<void> {
  const directory = path.dirname(file)
  const start = path.basename(temporaryOf(file))
  const names = await readdir(directory).catch(() => [])
  for (const name of names) {
    if (!name.startsWith(start) || !/^[\da-f]{16}$/.test(name.slice(start.length))) continue
    const left = path.join(directory, name)
    const { mtimeMs } = await stat(left).catch(() => ({ mtimeMs: Infinity }))
    if (Date.now() - mtimeMs > LEFT_BEHIND) await unlink(left).catch(() => {})
  }
}

/** So that the new name survives a crash of the machine. Some file systems do not support it. */
async function syncDirectory(directory: string): Promise<void> {
  try {
    const handle = await open(directory, 'r')
    await handle.sync().finally(() => handle.close())
  } catch {
    return
  }
}

async function onDisk<T>(file: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw new UserError(
      `${file} cannot be written (${messageOf(error)}): name a file in a directory that is there, may be written to, and has room`,
      1,
    )
  }
}

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
  return code === 'EACCES'
    ? new BarredError(`${what}: run tenantctl as root, or as the user of Haraka`)
    : new InputError(`${what}: name a file that is there`)
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
