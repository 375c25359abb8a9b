// Writes a backup or snapshot, all of it or nothing.
import { createHash, randomBytes } from 'node:crypto'
import { lstat, open, readdir, readlink, rename, stat, unlink } from 'node:fs/promises'
import path from 'node:path'
import { messageOf, UserError } from '../base/errors'
import { formatEnd, formatHeader, LONGEST_LINE, type Header, type Verified } from './format'
import { verifyFile } from './read-file'

const CHUNK = 64 * 1024
/** A temporary file that has not changed for this long, in ms, was left by a killed process. */
const LEFT_BEHIND = 3_600_000

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
): Promise<Verified> {
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
): Promise<Verified> {
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

async function assertSame(file: string, temporary: string, written: Verified): Promise<void> {
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
