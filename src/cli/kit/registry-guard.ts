import { BarredError, openRecords } from '../../registry-file/read-file'
import type { Header } from '../../registry-file/format'
import { unfinishedRestore } from '../../backup/unfinished'
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
 * Checks that Redis may be written to, and gives a new registry an epoch.
 *
 * @param mayBegin is asked where Redis holds nothing; throws where no registry is to begin there.
 * @throws as {@link assertWhole}.
 */
export async function assertWritable(
  store: Store,
  snapshot: string,
  mayBegin: () => Promise<void>,
): Promise<void> {
  const { epoch, tenants } = await assertWhole(store, snapshot)
  if (!epoch && tenants === 0) await mayBegin()
  await ensureEpoch(store)
}

/**
 * Checks that Redis holds all that was registered.
 *
 * @param snapshot path of the snapshot file, or empty.
 * @throws {SchemaError} a later version wrote the registry.
 * @throws {RefusedError} Redis has lost the registry or a part of it, or that cannot be determined.
 */
export async function assertWhole(store: Store, snapshot: string): Promise<RegistryLook> {
  const look = await lookAtKnownSchema(store)
  const known = await knownRegistry(snapshot, store.keys.prefix)
  if (known && !(known instanceof BarredError) && isAnother(look, known.epoch, known.createdAt)) {
    throw registryLost(look, known, snapshot)
  }
  // Without an epoch, only the snapshot distinguishes a lost registry from a new one.
  if (known instanceof BarredError && !look.epoch) {
    throw new RefusedError(
      `the registry in Redis has no epoch, and it is not known whether Haraka had one: ${known.message}; if there was none, run tenantctl init --force`,
    )
  }
  await assertRestored(store)
  return look
}

/** Reads the state of the registry. @throws {SchemaError} a later version wrote it. */
export async function lookAtKnownSchema(store: Store): Promise<RegistryLook> {
  const look = await lookAtRegistry(store)
  if (look.epoch && isNewer(look.epoch)) throw new SchemaError(look.epoch.schema)
  return look
}

/** @throws {RefusedError} Redis holds a part of a backup. */
export async function assertRestored(store: Store): Promise<void> {
  if ((await unfinishedRestore(store)) === undefined) return
  throw new RefusedError(
    'a restore was cut short, and Redis holds a part of it: run the same tenantctl restore again, or accept what is there with tenantctl init --force',
  )
}

/** The registry under this prefix as of Haraka's last snapshot file; `undefined`: there is none. */
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
    // Not written yet, or damaged: doctor reports it.
    if (error instanceof InputError) return undefined
    throw error
  }
}

function registryLost(look: RegistryLook, known: Header, snapshot: string): RefusedError {
  return new RefusedError(
    `Redis has lost the registry that Haraka knew at ${shortTime(known.createdAt)} (${snapshot}), and holds ${describeAnother(look)}: bring it back with tenantctl restore FILE or restore --from-snapshot, or accept the current content with tenantctl init --force`,
  )
}
