import { addEntry } from '../records/audit-trail'
import { RefusedError, UserError } from '../base/errors'
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
import type { RecordFile } from '../registry-file/file'
import type { Header } from '../registry-file/format'
import { runPass, type Findings, type PassResult } from './restore-pass'

/** That search holds all names in memory, and a file is gone through piece by piece. */
const MOST_LOOKED_THROUGH = 50_000

/** What restoring a file did. */
export interface RestoreReport {
  /** `unchanged`: all of it was there already. */
  readonly result: 'restored' | 'unchanged'
  readonly header: Header
  /** The epoch of the registry now. */
  readonly epoch: string
  /** What the file holds, without what was left out. */
  readonly tenants: number
  readonly domains: number
  readonly connectors: number
  readonly restricted: number
  /** What was not in Redis as the file says. */
  readonly written: number
  /** What is not restored, with the reason. */
  readonly leftOut: Findings
  /** What does not fit together in Redis now; `undefined`: there is too much to look through all of it here. */
  readonly inconsistencies: readonly Inconsistency[] | undefined
}

/**
 * Puts back what a file holds, and looks whether it is there. Nothing is written before all of the file was found
 * whole. It goes into an empty registry; where it was cut short, running it again completes it.
 *
 * The epoch comes last: processes that know this registry, or know that it was lost, go on with what they know until
 * all is there.
 *
 * @param options `force`: into a registry that holds something else, too. A record of the file replaces the one that
 *   is there, what only Redis has stays; a restriction is never removed or narrowed, a block of a
 *   connector never lifted, and usage never replaced.
 * @throws {InputError} the file is not whole.
 * @throws {RefusedError} Redis holds something else, or with `force` what has no room beside the file.
 * @throws {UserError} it was not all there afterwards.
 */
export async function restore(
  store: Store,
  file: RecordFile,
  { force = false } = {},
): Promise<RestoreReport> {
  const { header, sha256 } = await file.verify()
  if (Number(header.schema.split('.')[0]) > SCHEMA.major) {
    throw new RefusedError(
      `${file.file} holds the registry in schema ${header.schema}, and this version knows ${SCHEMA.major}.x: use the later version that has written it`,
    )
  }
  const { tenants, epoch } = await lookAtRegistry(store)
  if (epoch && isNewer(epoch)) throw new SchemaError(epoch.schema)
  const begun = await unfinishedRestore(store)
  const report = (pass: PassResult, now: string, written = 0) =>
    reportOf(store, header, pass, now, written)

  if (begun !== sha256 && (tenants > 0 || begun !== undefined)) {
    const found = await runPass(store, file, 'compare')
    if (found.differences.count === 0 && begun === undefined) {
      const same = epoch !== undefined && (header.epoch === '' || epoch.epoch === header.epoch)
      return report(found, same ? epoch.epoch : (await giveEpoch(store, header)).epoch)
    }
    if (!force) throw occupied(file.file, tenants, begun, found.differences)
    if (found.conflicts.count > 0) throw noRoom(file.file, found.conflicts)
  }
  await addEntry(store, store.keys.tenantsAudit, {
    subject: '',
    what: 'registry restored',
    from: describeAnother({ epoch, tenants }),
    to: `${file.file} of ${shortTime(header.createdAt)}`,
  })
  await store.client.set(store.keys.restore, sha256)
  // Where there is none, a process could take what is half there for the whole.
  await ensureEpoch(store)
  const written = await runPass(store, file, 'write')
  const after = await runPass(store, file, 'compare')
  if (after.differences.count > 0) throw incomplete(file.file, after.differences)
  const given = await giveEpoch(store, header)
  await store.client.del(store.keys.restore)
  return report(after, given.epoch, written.differences.count)
}

/** The checksum of the backup whose restoring was begun and not finished; `undefined`: there is none. */
export async function unfinishedRestore(store: Store): Promise<string | undefined> {
  return (await store.client.get(store.keys.restore)) ?? undefined
}

function giveEpoch(store: Store, { epoch }: Header) {
  return confirmEpoch(store, epoch === '' ? undefined : epoch)
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
      tenants + domains > MOST_LOOKED_THROUGH ? undefined : await findInconsistencies(store),
  }
}

/** The refusal of a file that gives to its tenants what belongs to others. */
function noRoom(file: string, conflicts: Findings): RefusedError {
  return new RefusedError(
    `${file} cannot be restored beside what Redis holds, and nothing was written: ${listed(conflicts)}; remove or move that first`,
  )
}

function occupied(
  file: string,
  tenants: number,
  begun: string | undefined,
  differences: Findings,
): RefusedError {
  const there =
    begun === undefined
      ? `Redis holds another registry (tenants: ${tenants}), which is not that of ${file}`
      : 'Redis holds a part of another file, whose restoring was cut short'
  return new RefusedError(
    `${there} (${differences.count} differences: ${listed(differences)}): ${begun === undefined ? 'restore into an empty Redis or another --prefix' : 'restore that file again to complete it'}, or put this file over what is there with --force`,
  )
}

function incomplete(file: string, differences: Findings): UserError {
  return new UserError(
    `${differences.count} things of ${file} are not in Redis as they were written (${listed(differences)}): somebody else is writing there; restore it again when nobody is`,
    1,
  )
}

const MOST_LISTED = 5

function listed({ named, count }: Findings): string {
  const texts = named.slice(0, MOST_LISTED)
  if (count > texts.length) texts.push(`and ${count - texts.length} more`)
  return texts.join('; ')
}
