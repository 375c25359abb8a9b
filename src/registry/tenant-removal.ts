import { tenantctl } from '../base/command-line'
import { keepEntry } from '../records/audit-trail'
import { noSuchTenant, RefusedError } from '../base/errors'
import { indexProbation } from '../allowance/probation-index'
import { InterruptedError, isStopped, type Work } from '../base/work'
import { scanHash } from '../store/scan'
import { readScript } from '../store/script'
import type { Store } from '../store/store'
import { forgetSnoozes } from '../records/snooze'
import { randomToken } from '../records/token'
import { connectorBlocked, ConnectorRegistry } from './connector-registry'
import { readAllEntries } from './domain-entries'
import { finishMove, unfinishedMoves } from './domain-move'
import { assertTenantId } from '../mail/identities'
import { unpackClaim } from './formats'
import { leaveNames, readPending } from './pending'
import { reconcileClaims } from './reconcile'
import { indexTenant, SETTINGS, tenantExists } from './tenant-registry'

const REMOVE = readScript(__dirname, 'tenant_remove')
const SCAN_PIECE = 1000

/**
 * Removes a tenant with all its data: its hash, domains and usage in one script; then its connectors, its claims, also those
 * that an interrupted command has left, and its place in the index. Repeating an interrupted removal finishes it; the names
 * yield to others meanwhile.
 *
 * @throws {InterruptedError} it was stopped before anything was removed.
 * @throws {InputError} a bad id.
 * @throws {NotFoundError} there is no data of such a tenant.
 * @throws {RefusedError} it is restricted, or one of its connectors is blocked.
 */
export async function removeTenant(store: Store, id: string, work: Work = {}): Promise<void> {
  assertTenantId(id)
  const connectors = new ConnectorRegistry(store)
  const { keys, client } = store
  // Else removing and adding the tenant would lift the block.
  const [blocked] = await connectors.blockedOf(id)
  if (blocked !== undefined) throw connectorBlocked({ tenant: id, name: blocked })
  const domains = [...(await readAllEntries(store, id)).keys()]
  if (isStopped(work))
    throw new InterruptedError(`stopped, and nothing of tenant ${id} was removed`)
  await leaveNames(store, id, domains)
  const reply = (await store.run(
    REMOVE,
    [
      keys.tenant(id),
      keys.domains(id),
      keys.usage(id),
      keys.restriction(id),
      keys.audit(id),
      keys.caseCount(id),
    ],
    [randomToken(), store.actor, ...SETTINGS, 'source'],
  )) as ['removed', entry: string, cases: string] | ['restricted'] | ['gone']
  if (reply[0] === 'restricted') {
    await reconcileClaims(store, id, domains)
    throw tenantRestricted(id)
  }
  if (reply[0] === 'removed') await keepEntry(store, id, reply[1])
  // The list of a removed tenant is gone, so all claims must be searched.
  const claimed =
    reply[0] === 'removed'
      ? [...new Set([...domains, ...(await pendingOf(store, id))])]
      : await claimsOf(store, id)
  const freed = await connectors.removeAll(id)
  await reconcileClaims(store, id, claimed, {
    progress: (done) => work.progress?.(done, claimed.length),
  })
  await giveBackMoves(store, id)
  await forgetSnoozes(store, id)
  await indexProbation(store, id)
  const unindexed = await client.srem(keys.tenants, id)
  if (await tenantExists(store, id)) await indexTenant(store, id)
  if (reply[0] === 'gone' && freed + claimed.length + unindexed === 0) throw noSuchTenant(id)
}

/** The error for a restricted tenant that was to be removed. */
export function tenantRestricted(id: string): RefusedError {
  return new RefusedError(
    `tenant ${id} is restricted: lift that first (${tenantctl('unblock', id)} --reason …), then remove it`,
  )
}

/** Names of the tenant that its list does not hold. */
async function pendingOf(store: Store, id: string): Promise<string[]> {
  const pending = await readPending(store)
  return pending.filter(({ tenant }) => tenant === id).map(({ domain }) => domain)
}

/** Names claimed for a tenant. Reads all claims of all tenants. */
async function claimsOf(store: Store, tenant: string): Promise<string[]> {
  const domains: string[] = []
  await scanHash(store, store.keys.ownerNames, SCAN_PIECE, (domain, packed) => {
    if (unpackClaim(domain, packed).tenant === tenant) domains.push(domain)
  })
  return domains
}

/** Ends interrupted moves to the tenant that have not written its entry. */
async function giveBackMoves(store: Store, tenant: string): Promise<void> {
  const moves = (await unfinishedMoves(store)).filter(({ to }) => to === tenant)
  for (const move of moves) await finishMove(store, move, 'tenant remove')
}
