// Claims that have no entry yet, or none any more. See `lua/include/pending.lua`.
import { batchesOf, grouped } from '../base/lists'
import { randomToken } from '../records/token'
import { readScript } from '../store/script'
import type { Store } from '../store/store'
import { scanHash } from '../store/scan'
import { readEntries } from './domain-entries'
import type { DomainFlags } from './formats'
import { BATCH, type Obstacle } from './owners'

const LEAVE = readScript(__dirname, 'owners_leave')
const SCAN_PIECE = 1000
const LEASES = readScript(__dirname, 'owners_leases')

/**
 * The lease of one command on the names that it claims. Each step of the command renews it, so that no other tenant gets
 * a name in between; a minute after the last one it is over.
 */
export function newLease(tenant: string): string {
  return `${tenant} ${randomToken()}`
}

/**
 * Notes that a tenant is about to give up names, any number of them: where the command is interrupted, the claims whose
 * entries it has removed yield to others.
 *
 * @param lease of the command, where it has one.
 * @throws what ioredis throws.
 */
export async function leaveNames(
  store: Store,
  tenant: string,
  domains: readonly string[],
  lease = newLease(tenant),
): Promise<void> {
  const { keys } = store
  for (const batch of batchesOf(domains, BATCH)) {
    await store.run(LEAVE, [keys.ownerNames, keys.ownerPending], [tenant, lease, ...batch])
  }
}

/** A name whose entry a command of a tenant was about to write or to remove. */
export interface PendingName {
  readonly domain: string
  readonly tenant: string
}

/**
 * All names that are pending, read in batches.
 *
 * @throws what ioredis throws.
 */
export async function readPending(store: Store): Promise<PendingName[]> {
  const names: PendingName[] = []
  await scanHash(store, store.keys.ownerPending, SCAN_PIECE, (field, value) => {
    // Else it is a lease.
    if (!field.startsWith('@')) {
      names.push({ domain: field, tenant: value.slice(0, value.indexOf(' ')) })
    }
  })
  return names
}

/**
 * Of some names those that are pending for that tenant, and whose command was interrupted: its lease is over.
 *
 * @throws what ioredis throws.
 */
export async function interruptedAmong<T extends PendingName>(
  store: Store,
  names: readonly T[],
): Promise<T[]> {
  const leases = await readLeases(store, names)
  return names.filter((_, at) => leases[at] === 'over')
}

/**
 * The obstacles, with those marked that a command of their owner is about to write.
 *
 * @throws what ioredis throws.
 */
export async function markPending(
  store: Store,
  obstacles: readonly Obstacle[],
): Promise<Obstacle[]> {
  const leases = await readLeases(
    store,
    obstacles.map(({ name, owner }) => ({ domain: name, tenant: owner })),
  )
  return obstacles.map((each, at) =>
    leases[at] === 'running' ? { ...each, isPending: true } : each,
  )
}

async function readLeases(
  store: Store,
  names: readonly PendingName[],
): Promise<('running' | 'over' | '')[]> {
  const leases: ('running' | 'over' | '')[] = []
  for (const batch of batchesOf(names, BATCH)) {
    const pairs = batch.flatMap(({ domain, tenant }) => [domain, tenant])
    const reply = await store.run(LEASES, [store.keys.ownerPending], pairs)
    leases.push(...(reply as typeof leases))
  }
  return leases
}

/**
 * Those of some obstacles that an interrupted command has left: the owner's list does not say what the claim says, and no
 * command is about to write it. Reconciling the owner's claims removes them.
 *
 * @throws what ioredis throws.
 */
export async function leftByInterrupted(
  store: Store,
  obstacles: readonly Obstacle[],
): Promise<Obstacle[]> {
  const claims = obstacles.map((obstacle) => {
    return { domain: obstacle.name, tenant: obstacle.owner, obstacle }
  })
  const left: Obstacle[] = []
  const pending = await interruptedAmong(store, claims)
  for (const [owner, of] of grouped(pending, ({ tenant }) => tenant)) {
    const names = of.map(({ domain }) => domain)
    const entries = await readEntries(store, owner, names)
    of.forEach(({ obstacle }, at) => {
      if (!isBacked(obstacle, entries[at])) left.push(obstacle)
    })
  }
  return left
}

/** Whether the owner's entry is an obstacle, too. */
function isBacked({ domain, name }: Obstacle, entry: DomainFlags | undefined): boolean {
  if (entry === undefined || entry.shared) return false
  return entry.subdomains || !domain.endsWith(`.${name}`)
}
