import { NotFoundError, RefusedError } from '../base/errors'
import { shortTime } from '../base/time'
import type { Work } from '../base/work'
import { assertTenantId } from '../mail/identities'
import { addEntry } from '../records/audit-trail'
import { ensureEpoch } from '../registry/epoch'
import { tenantExists } from '../registry/tenant-registry'
import type { Verified } from '../registry-file/format'
import type { Records } from '../registry-file/parts'
import type { RecordFile } from '../registry-file/read-file'
import type { RegistryRecord } from '../registry-file/record'
import type { Store } from '../store/store'
import { followed } from './followed'
import { assertKnownSchema, conflicting, incomplete, listed, type RestoreReport } from './restore'
import { runPass, type Findings, type PassResult } from './restore-pass'

/**
 * Restores one tenant of a file: settings, restriction, usage, accepted domains and connectors. The rest of the registry
 * stays as it is. The whole file is checked before anything is written; after an interruption, a second run completes it.
 *
 * @param options `force`: also where the tenant exists otherwise. What only Redis has of it stays, and so does a restriction;
 *   see `restore`.
 * @throws {InputError} a bad id, or the file is incomplete or damaged.
 * @throws {NotFoundError} the file does not hold the tenant.
 * @throws {RefusedError} it exists otherwise, or another tenant has one of its domains or identities.
 * @throws {InterruptedError} it was stopped.
 */
export async function restoreTenant(
  store: Store,
  file: RecordFile,
  id: string,
  { force = false } = {},
  work: Work = {},
): Promise<RestoreReport> {
  const { tenant, verified } = await tenantIn(file, id)
  const { epoch } = await ensureEpoch(store)
  const { header } = verified
  const untouched = followed(tenant, verified, work, 'nothing was written')
  const found = await runPass(store, untouched, 'compare')
  const report = (pass: PassResult, written: number): RestoreReport =>
    reportOf(pass, { header, epoch, written })
  if (found.conflicts.count > 0) throw conflicting(file.file, found.conflicts)
  if (found.differences.count === 0) return report(found, 0)
  if (!force && (await tenantExists(store, id)))
    throw existsOtherwise(file.file, id, found.differences)
  await addEntry(store, store.keys.tenantsAudit, {
    subject: id,
    what: 'tenant restored',
    to: `${file.file} of ${shortTime(header.createdAt)}`,
  })
  const partly = followed(
    tenant,
    verified,
    work,
    'a part of the tenant is written; run the same command again',
  )
  const written = await runPass(store, partly, 'write')
  const after = await runPass(store, partly, 'compare')
  if (after.differences.count > 0) throw incomplete(file.file, after.differences)
  return report(after, written.differences.count)
}

/**
 * Where Redis and the file differ about a tenant, for a person who is asked about it.
 *
 * @throws as {@link restoreTenant}, before it writes.
 */
export async function differencesOfTenant(
  store: Store,
  file: RecordFile,
  id: string,
): Promise<Findings> {
  const { tenant } = await tenantIn(file, id)
  return (await runPass(store, tenant, 'compare')).differences
}

/** The records of one tenant, without moves under way: its domains are claimed as they are listed. */
async function tenantIn(
  file: RecordFile,
  id: string,
): Promise<{ readonly tenant: Records; readonly verified: Verified }> {
  assertTenantId(id)
  const verified = await file.verify()
  assertKnownSchema(file)
  const tenant: Records = {
    async *records() {
      for await (const record of file.records()) if (isOf(id, record)) yield record
    },
  }
  for await (const { type } of tenant.records()) if (type === 'tenant') return { tenant, verified }
  throw new NotFoundError(`${file.file} holds no tenant "${id}"`)
}

function isOf(id: string, record: RegistryRecord): boolean {
  switch (record.type) {
    case 'tenant':
      return record.id === id
    case 'domains':
      return record.tenant === id
    case 'connector':
      return record.id.startsWith(`${id}/`)
    case 'move':
      return false
  }
}

/** The rest of the registry is not checked for inconsistencies. */
function reportOf(
  { tenants, domains, connectors, restricted, leftOut }: PassResult,
  { header, epoch, written }: Pick<RestoreReport, 'header' | 'epoch' | 'written'>,
): RestoreReport {
  return {
    result: written > 0 ? 'restored' : 'unchanged',
    ...{ header, epoch, tenants, domains, connectors, restricted, written, leftOut },
    inconsistencies: undefined,
  }
}

function existsOtherwise(file: string, id: string, differences: Findings): RefusedError {
  return new RefusedError(
    `tenant ${id} exists, and is not as in ${file} (${differences.count} differences: ${listed(differences)}): write the file over it with --force`,
  )
}
