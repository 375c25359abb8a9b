import { InputError } from '../base/errors'
import { openRecords, type RecordFile } from '../registry-file/read-file'
import { scanSet } from '../store/scan'
import type { Store } from '../store/store'

/** Tenants whose restriction is not everywhere the same, before a restore. */
export interface RestrictionDifferences {
  /** Restricted in the file alone: lifted since it was written, or lost since. */
  readonly inFile: readonly string[]
  /** Restricted in Redis, and not in the file. */
  readonly inRedis: readonly string[]
  /** Restricted in Haraka's snapshot file alone: Haraka puts that back after the restore, unless it is lifted. */
  readonly known: readonly string[]
}

/**
 * Compares the restrictions of a file that is to be restored with those in Redis and in the snapshot file.
 *
 * @param snapshot path of the snapshot file; one that is empty, missing or damaged says nothing.
 * @throws {InputError} the file is damaged; and what ioredis throws.
 */
export async function compareRestrictions(
  store: Store,
  file: RecordFile,
  snapshot: string,
): Promise<RestrictionDifferences> {
  const inFile = await restrictedIn(file)
  const { client, keys } = store
  const inRedis = new Set<string>()
  for await (const ids of scanSet(store, keys.restricted)) for (const id of ids) inRedis.add(id)
  const known = await knownRestrictions(snapshot, keys.prefix)
  const isComparable = known !== undefined || (await client.exists(keys.tenants)) === 1
  const only = (of: Iterable<string>, ...others: (ReadonlySet<string> | undefined)[]): string[] =>
    [...of].filter((id) => !others.some((other) => other?.has(id))).sort()
  return {
    inFile: isComparable ? only(inFile, inRedis, known) : [],
    inRedis: only(inRedis, inFile),
    known: only(known ?? [], inFile, inRedis),
  }
}

async function knownRestrictions(
  snapshot: string,
  prefix: string,
): Promise<Set<string> | undefined> {
  if (snapshot === '') return undefined
  try {
    const file = await openRecords(snapshot)
    try {
      return file.header.prefix === prefix ? await restrictedIn(file) : undefined
    } finally {
      await file.close()
    }
  } catch (error) {
    if (error instanceof InputError) return undefined
    throw error
  }
}

async function restrictedIn(file: RecordFile): Promise<Set<string>> {
  const ids = new Set<string>()
  for await (const record of file.records()) {
    if (record.type === 'tenant' && record.restriction) ids.add(record.id)
  }
  return ids
}
