import { toChange, type PauseChange } from '../enforcement/pause'
import { InputError } from '../base/errors'

/** Identifies the format, in the first line. */
const FORMAT = 'haraka-plugin-unregistered-domain'
/** Raised when older versions can no longer read the file. */
const VERSION = 1

/** The first line of a file. */
export interface Header {
  /** `backup`: everything, made by an operator; `snapshot`: the cache of a process, for its next start. */
  readonly kind: 'backup' | 'snapshot'
  /** Prefix of the keys in the Redis that it comes from. */
  readonly prefix: string
  /** The epoch of that registry; empty if it had none. */
  readonly epoch: string
  /** The schema of that registry, `MAJOR.MINOR`. */
  readonly schema: string
  /** ms since the epoch, server time: when the writing began. */
  readonly createdAt: number
  /** Number of tenants that are not in it. */
  readonly omitted: number
  /** Of a snapshot: the last changes that its process knew, in µs, server time. Older versions do not write it. */
  readonly changed?: { readonly connectors: number; readonly tenants: number } | undefined
  /** Of a snapshot: the last change of the pause of enforcement. Older versions neither write nor read it. */
  readonly pause?: PauseChange | undefined
}

/** The last line of a file. */
export interface End {
  /** Lines between the first and this one. */
  readonly records: number
  /** SHA-256 of every byte before this line, in hexadecimal. */
  readonly sha256: string
}

/** A file that has been written, or read and found complete. */
export interface Verified extends End {
  readonly header: Header
  readonly octets: number
}

/** The longest line that is written or read, in octets: one line is in memory at a time. */
export const LONGEST_LINE = 8 * 1024 * 1024

/** The line without its line break. */
export function formatHeader(header: Header): string {
  return JSON.stringify({ format: FORMAT, version: VERSION, ...header })
}

/** The line without its line break. */
export function formatEnd({ records, sha256 }: End): string {
  return JSON.stringify({ type: 'end', records, sha256 })
}

/**
 * Reads the first line.
 *
 * @param where stands before the message.
 * @throws {InputError} another format or version, or damaged.
 */
export function parseHeader(line: string, where: string): Header {
  const value = tryParse(line)
  if (!isObject(value) || value['format'] !== FORMAT) throw foreign(where)
  const { version, kind, prefix, epoch, schema, createdAt, omitted, changed } = value
  const pause = isObject(value['pause']) && toChange(value['pause'])
  if (version !== VERSION) {
    throw new InputError(
      `${where}: it is of format version ${show(version)}, and this tenantctl reads ${VERSION}: use the version of tenantctl that wrote it, or a newer one`,
    )
  }
  if (
    (kind !== 'backup' && kind !== 'snapshot') ||
    typeof prefix !== 'string' ||
    typeof epoch !== 'string' ||
    !/^[\w.:-]{0,100}$/.test(epoch) ||
    typeof schema !== 'string' ||
    !/^\d{1,6}\.\d{1,6}$/.test(schema) ||
    !isCount(createdAt) ||
    !isCount(omitted) ||
    !(changed === undefined || isChanged(changed))
  ) {
    throw damaged(where, 'the header is not as it was written')
  }
  return {
    kind,
    prefix,
    epoch,
    schema,
    createdAt,
    omitted,
    ...(changed && { changed }),
    ...(pause && { pause }),
  }
}

function isChanged(value: unknown): value is NonNullable<Header['changed']> {
  return isObject(value) && isCount(value['connectors']) && isCount(value['tenants'])
}

/** Reads the last line; `undefined`: it is not the last line. @throws {InputError} it is damaged. */
export function parseEnd(value: Readonly<Record<string, unknown>>, where: string): End | undefined {
  if (value['type'] !== 'end') return undefined
  const { records, sha256 } = value
  if (!isCount(records) || typeof sha256 !== 'string' || !/^[\da-f]{64}$/.test(sha256)) {
    throw damaged(where, 'the last line is not as it was written')
  }
  return { records, sha256 }
}

/** @throws {InputError} the line is no JSON object. */
export function parseObject(line: string, where: string): Record<string, unknown> {
  const value = tryParse(line)
  if (isObject(value)) return value
  throw damaged(where, 'the line is no JSON object')
}

function tryParse(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch {
    return undefined
  }
}

/** The error for a file of another format. */
export function foreign(where: string): InputError {
  return new InputError(
    `${where}: it is no backup and no snapshot of ${FORMAT}: give a file that tenantctl backup wrote`,
  )
}

/** The error for a damaged file, of which nothing is used. */
export function damaged(where: string, what: string): InputError {
  return new InputError(`${where}: ${what}: the file is damaged or cut short; take another one`)
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

/** A value out of a file, short enough for a message. */
export function show(value: unknown): string {
  const text = JSON.stringify(value) ?? 'undefined'
  return text.length > 80 ? `${text.slice(0, 80)}…` : text
}
