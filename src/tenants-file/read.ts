// The tenants file on disk: its size and its encoding.
import { isUtf8 } from 'node:buffer'
import { createReadStream } from 'node:fs'
import { InputError, messageOf } from '../base/errors'
import { parseTenantsFile } from './parse'
import type { TenantsFile } from './tenants-file'
import { atPlace } from './yaml'

/** About 100,000 domains: parsing them takes two seconds and half a gigabyte. */
const MOST_BYTES = 4 * 1024 * 1024

/**
 * Reads a tenants file.
 *
 * @throws {InputError} it cannot be read, or as {@link textOf} and {@link parseTenantsFile}.
 */
export async function readTenantsFile(path: string): Promise<TenantsFile> {
  return parseTenantsFile(textOf(await readStart(path), path), path)
}

/** As much as tells that it is too large: a device or a pipe may have no end. */
async function readStart(path: string): Promise<Buffer> {
  try {
    const pieces: Buffer[] = []
    for await (const piece of createReadStream(path, { end: MOST_BYTES })) {
      pieces.push(piece as Buffer)
    }
    return Buffer.concat(pieces)
  } catch (error) {
    throw new InputError(`${path}: cannot be read: ${messageOf(error)}`)
  }
}

/** @throws {InputError} it is too large, or not UTF-8. */
export function textOf(content: Buffer, filename: string): string {
  if (content.length > MOST_BYTES) {
    throw new InputError(
      `${filename}: has more than ${MOST_BYTES} bytes: split it, with an id of its own for each file, or register domains with tenantctl`,
    )
  }
  const text = content.toString('utf8')
  if (isUtf8(content)) return text
  const before = text.slice(0, text.indexOf('\ufffd')).split('\n')
  const place = { line: before.length, column: before.at(-1)!.length + 1 }
  throw new InputError(atPlace(filename, place, 'is not UTF-8: save the file in that encoding'))
}
