import { noSuchTenant, RefusedError } from '../base/errors'
import { assertTenantId } from '../mail/identities'
import { TenantRegistry } from '../registry/tenant-registry'
import type { Store } from '../store/store'
import { attachedAgain, detachedFrom, isFileSource } from '../tenants-file/source'

/**
 * The tenants file that manages a tenant, as `file:ID`: applied again, it sets back what it says of the tenant.
 *
 * @returns `undefined`: none, or no such tenant.
 * @throws {InputError} not an id.
 */
export async function managingFile(store: Store, tenant: string): Promise<string | undefined> {
  const source = await sourceOf(store, tenant)
  return source !== undefined && isFileSource(source) ? source : undefined
}

/**
 * Detaches a tenant from its file, which then neither changes nor prunes anything of it. (A version that does not know
 * this applies the file to it again.)
 *
 * @returns the file, as `file:ID`, and whether anything has changed.
 * @throws {NotFoundError} no such tenant.
 * @throws {RefusedError} it comes from no file.
 */
export async function detach(store: Store, tenant: string): Promise<Detached> {
  const source = await existingSource(store, tenant)
  const before = attachedAgain(source)
  if (before !== undefined) return { file: before, result: 'unchanged' }
  if (!isFileSource(source)) throw comesFromNoFile(tenant, source)
  await new TenantRegistry(store).set(tenant, {}, { source: detachedFrom(source) })
  return { file: source, result: 'changed' }
}

/** The opposite of {@link detach}: the file applies to the tenant again. @throws as {@link detach}. */
export async function attach(store: Store, tenant: string): Promise<Detached> {
  const source = await existingSource(store, tenant)
  if (isFileSource(source)) return { file: source, result: 'unchanged' }
  const file = attachedAgain(source)
  if (file === undefined) throw comesFromNoFile(tenant, source)
  await new TenantRegistry(store).set(tenant, {}, { source: file })
  return { file, result: 'changed' }
}

/** The result of {@link detach} and {@link attach}. */
export interface Detached {
  /** `file:ID` */
  readonly file: string
  readonly result: 'changed' | 'unchanged'
}

async function sourceOf({ client, keys }: Store, tenant: string): Promise<string | undefined> {
  assertTenantId(tenant)
  return (await client.hget(keys.tenant(tenant), 'source')) ?? undefined
}

async function existingSource(store: Store, tenant: string): Promise<string> {
  const source = await sourceOf(store, tenant)
  if (source !== undefined) return source
  throw noSuchTenant(tenant)
}

function comesFromNoFile(tenant: string, source: string): RefusedError {
  return new RefusedError(`tenant ${tenant} comes from no tenants file: ${source} registered it`)
}
