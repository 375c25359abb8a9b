import { BarredError, openRecords } from '../../registry-file/file'
import type { Header } from '../../registry-file/format'
import { unfinishedRestore } from '../../backup/restore'
import { InputError, RefusedError } from '../../base/errors'
import type { Store } from '../../store/store'
import {
  describeAnother,
  ensureEpoch,
  isAnother,
  isNewer,
  lookAtRegistry,
  SchemaError,
  type RegistryLook,
} from '../../registry/epoch'
import { shortTime } from '../../base/time'

/**
 * Whether Redis may be written to; it has an epoch then.
 *
 * @throws as {@link assertWhole}.
 */
export async function assertWritable(store: Store, snapshot: string): Promise<void> {
  await assertWhole(store, snapshot)
  await ensureEpoch(store)
}

/**
 * Whether Redis holds all that was registered.
 *
 * @param snapshot path of the snapshot file, or empty.
 * @throws {SchemaError} a later version has written what Redis holds.
 * @throws {RefusedError} Redis has lost what was registered, or holds a part of it, or that cannot be told.
 */
export async function assertWhole(store: Store, snapshot: string): Promise<void> {
  const look = understood(await lookAtRegistry(store))
  const known = await knownRegistry(snapshot, store.keys.prefix)
  if (known && !(known instanceof BarredError) && isAnother(look, known.epoch, known.createdAt)) {
    throw registryLost(look, known, snapshot)
  }
  // Where there is no epoch, only the snapshot tells a registry that is lost from one that is new.
  if (known instanceof BarredError && !look.epoch) {
    throw new RefusedError(
      `the registry in Redis has no epoch, and it is not known whether Haraka had one: ${known.message}; if there was none, tenantctl init --force`,
    )
  }
  if ((await unfinishedRestore(store)) !== undefined) {
    throw new RefusedError(
      'a restore was cut short, and Redis holds a part of it: run the same tenantctl restore again, or accept what is there with tenantctl init --force',
    )
  }
}

/** The registry under this prefix that Haraka knew when it last wrote its snapshot file; `undefined`: there is none. */
async function knownRegistry(
  snapshot: string,
  prefix: string,
): Promise<Header | BarredError | undefined> {
  if (snapshot === '') return undefined
  try {
    const file = await openRecords(snapshot)
    await file.close()
    const { kind, epoch, prefix: theirs } = file.header
    return kind === 'snapshot' && theirs === prefix && epoch !== '' ? file.header : undefined
  } catch (error) {
    if (error instanceof BarredError) return error
    // None yet, or damaged: doctor says so.
    if (error instanceof InputError) return undefined
    throw error
  }
}

function registryLost(look: RegistryLook, known: Header, snapshot: string): RefusedError {
  return new RefusedError(
    `Redis has lost the registry that Haraka knew at ${shortTime(known.createdAt)} (${snapshot}), and holds ${describeAnother(look)}: bring it back with tenantctl restore FILE or restore --from-snapshot, or accept the current content with tenantctl init --force`,
  )
}

function understood(look: RegistryLook): RegistryLook {
  if (look.epoch && isNewer(look.epoch)) throw new SchemaError(look.epoch.schema)
  return look
}
