import { addEntry } from '../records/audit-trail'
import { RefusedError, UserError } from '../base/errors'
import type { Work } from '../base/work'
import type { Store } from '../store/store'
import { findInconsistencies, type Inconsistency } from '../registry/consistency/consistency'
import {
  confirmEpoch,
  describeAnother,
  ensureEpoch,
  isNewer,
  lookAtRegistry,
  SCHEMA,
  SchemaError,
} from '../registry/epoch'
import { shortTime } from '../base/time'
import type { RecordFile } from '../registry-file/read-file'
import type { Header } from '../registry-file/format'
import { unfinishedRestore } from './unfinished'
import { runPass, type Findings, type PassResult } from './restore-pass'
import { followed } from './followed'

/** The search for inconsistencies holds all names in memory, which a restore otherwise avoids. */
const MOST_CHECKED = 50_000

/** The result of a restore. */
export interface RestoreReport {
  /** `unchanged`: Redis already had all of it. */
  readonly result: 'restored' | 'unchanged'
  readonly header: Header
  /** The epoch of the registry now. */
  readonly epoch: string
  /** Numbers of the file, without what was left out. */
  readonly tenants: number
  readonly domains: number
  readonly connectors: number
  readonly restricted: number
  /** Records that Redis did not have as the file says. */
  readonly written: number
  /** Records not restored, with the reason. */
  readonly leftOut: Findings
  /** Inconsistencies in Redis now; `undefined`: the registry is too large to check here. */
  readonly inconsistencies: readonly Inconsistency[] | undefined
}

/**
 * Restores a file into an empty registry and verifies the result. The whole file is checked before anything is written.
 * After an interruption, a second run completes it.
 *
 * The epoch is written last: until then, processes keep the registry that they have cached.
 *
 * @param options `force`: also into another registry. Records of the file replace those in Redis, records that only
 *   Redis has stay. A restriction is never removed or narrowed, a block of a connector never lifted, usage never replaced.
 *   `lifts`: restrictions that only processes know are lifted; else processes put them back.
 * @throws {InterruptedError} it was stopped; a second run completes it.
 * @throws {InputError} the file is incomplete or damaged.
 * @throws {RefusedError} Redis holds another registry, or with `force` records that conflict with the file.
 * @throws {UserError} Redis does not have all of it afterwards.
 */
export async function restore(
  store: Store,
  file: RecordFile,
  { force = false, lifts = false } = {},
  work: Work = {},
): Promise<RestoreReport> {
  const verified = await file.verify()
  const { header, sha256 } = verified
  assertKnownSchema(file)
  const { tenants, epoch } = await lookAtRegistry(store)
  if (epoch && isNewer(epoch)) throw new SchemaError(epoch.schema)
  const interrupted = await unfinishedRestore(store)
  const report = (pass: PassResult, now: string, written = 0) =>
    reportOf(store, header, pass, now, written)

  if (interrupted !== sha256 && (tenants > 0 || interrupted !== undefined)) {
    const untouched = followed(file, verified, work, 'nothing was written')
    const found = await runPass(store, untouched, 'compare')
    if (found.differences.count === 0 && interrupted === undefined) {
      const same = epoch !== undefined && (header.epoch === '' || epoch.epoch === header.epoch)
      return report(found, same ? epoch.epoch : (await giveEpoch(store, header, lifts)).epoch)
    }
    if (!force) throw occupied(file.file, tenants, interrupted, found.differences)
    if (found.conflicts.count > 0) throw conflicting(file.file, found.conflicts)
  }
  await addEntry(store, store.keys.tenantsAudit, {
    subject: '',
    what: 'registry restored',
    from: describeAnother({ epoch, tenants }),
    to: `${file.file} of ${shortTime(header.createdAt)}${lifts ? ', with no other restrictions' : ''}`,
  })
  await store.client.set(store.keys.restore, sha256)
  // Without an epoch a process could accept the half-written registry.
  await ensureEpoch(store)
  const partly = followed(file, verified, work, PARTLY)
  const written = await runPass(store, partly, 'write')
  const after = await runPass(store, partly, 'compare')
  if (after.differences.count > 0) throw incomplete(file.file, after.differences)
  const given = await giveEpoch(store, header, lifts)
  await store.client.del(store.keys.restore)
  return report(after, given.epoch, written.differences.count)
}

/**
 * What a restore with `force` writes over: where Redis and the file differ, for a person who is asked about it.
 *
 * @throws as {@link restore}, before it writes.
 */
export async function differencesFrom(
  store: Store,
  file: RecordFile,
  work: Work = {},
): Promise<Findings> {
  const verified = await file.verify()
  const { differences } = await runPass(
    store,
    followed(file, verified, work, 'nothing was written'),
    'compare',
  )
  return differences
}

/** @throws {RefusedError} a later version wrote the file. */
export function assertKnownSchema({ file, header }: RecordFile): void {
  if (Number(header.schema.split('.')[0]) <= SCHEMA.major) return
  throw new RefusedError(
    `${file} holds the registry in schema ${header.schema}, and this version reads ${SCHEMA.major}.x: use the later version that wrote it`,
  )
}

const PARTLY =
  'Redis holds a part of it, and no other command writes there; run the same command again to complete it'

function giveEpoch(store: Store, { epoch }: Header, lifts: boolean) {
  return confirmEpoch(store, epoch === '' ? undefined : epoch, { lifts })
}

async function reportOf(
  store: Store,
  header: Header,
  { tenants, domains, connectors, restricted, leftOut }: PassResult,
  epoch: string,
  written: number,
): Promise<RestoreReport> {
  return {
    result: written > 0 ? 'restored' : 'unchanged',
    ...{ header, epoch, tenants, domains, connectors, restricted, written, leftOut },
    inconsistencies:
      tenants + domains > MOST_CHECKED ? undefined : await findInconsistencies(store),
  }
}

/** The file gives its tenants names or identities that belong to others. */
export function conflicting(file: string, conflicts: Findings): RefusedError {
  return new RefusedError(
    `${file} conflicts with what Redis holds, and nothing was written: ${listed(conflicts)}; remove or move that first`,
  )
}

function occupied(
  file: string,
  tenants: number,
  interrupted: string | undefined,
  differences: Findings,
): RefusedError {
  const there =
    interrupted === undefined
      ? `Redis holds another registry (tenants: ${tenants}), which is not that of ${file}`
      : 'Redis holds a part of another file, whose restore was interrupted'
  return new RefusedError(
    `${there} (${differences.count} differences: ${listed(differences)}): ${interrupted === undefined ? 'restore into an empty Redis or another --prefix' : 'restore that file again to complete it'}, or write this file over it with --force`,
  )
}

export function incomplete(file: string, differences: Findings): UserError {
  return new UserError(
    `${differences.count} records of ${file} are not in Redis as written (${listed(differences)}): something else is writing there; stop it and restore again`,
    1,
  )
}

const MOST_LISTED = 5

export function listed({ named, count }: Findings): string {
  const texts = named.slice(0, MOST_LISTED)
  if (count > texts.length) texts.push(`and ${count - texts.length} more`)
  return texts.join('; ')
}
