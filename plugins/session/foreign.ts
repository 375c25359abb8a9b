import { within } from '../../src/base/deadline'
import type { Directory } from '../../src/directory/directory'
import type { Transit } from './transaction'

/** How long a recipient waits for the owner of the sender domain, in ms. */
const DEADLINE = 1000

/**
 * Finds out whether another tenant owns the domain of an unregistered sender; once for a sender. Where that cannot be
 * found out, it is unregistered.
 *
 * @returns `undefined` where it is known at once; else a promise that never rejects.
 */
export function findOwner(transit: Transit, directory: Directory): Promise<void> | undefined {
  const { attribution, standing } = transit
  const { domain } = standing
  if (standing.class !== 'unregistered' || domain === undefined) return undefined
  if (transit.ownerAskedFor === standing || attribution.kind !== 'attributed') return undefined
  transit.ownerAskedFor = standing
  const { tenant } = attribution
  const owner = directory.ownerOf(domain, tenant)
  if (owner === undefined) {
    const finding = askOwner(transit, directory, domain, tenant).finally(() => {
      if (transit.findingOwner === finding) transit.findingOwner = undefined
    })
    transit.findingOwner = finding
    return finding
  }
  noteOwner(transit, tenant, owner)
  return undefined
}

async function askOwner(
  transit: Transit,
  directory: Directory,
  domain: string,
  tenant: string,
): Promise<void> {
  const { standing } = transit
  // The charge, which is sent in this very turn, goes first: on a slow way to Redis it must not wait for this.
  await Promise.resolve()
  try {
    const owner = await within(DEADLINE, directory.askOwner(domain, tenant))
    if (transit.standing === standing) noteOwner(transit, tenant, owner)
  } catch {
    // The charge that follows says what is the matter with Redis.
  }
}

/** A domain that is the tenant's own by now is no other's: its charge will see that. */
function noteOwner(transit: Transit, tenant: string, owner: string | null): void {
  if (owner !== null && owner !== tenant) transit.isForeign(owner)
}
