import { within } from '../src/deadline'
import type { Directory } from '../src/tenants/directory'
import type { Transit } from './transit'

/** How long a recipient waits for the owner of the sender domain, in ms. */
const DEADLINE = 1000

/**
 * Finds out whether another tenant owns the domain of an unregistered sender; once for a sender. Where that cannot be
 * found out, it is unregistered.
 *
 * @returns `undefined` where it is known at once; else a promise that never rejects.
 */
export function findOwner(transit: Transit, directory: Directory): Promise<void> | undefined {
  const { standing } = transit
  const { domain } = standing
  if (standing.class !== 'unregistered' || domain === undefined) return undefined
  if (transit.ownerAskedFor === standing) return undefined
  transit.ownerAskedFor = standing
  const owner = directory.ownerOf(domain)
  if (owner === undefined) {
    const finding = askOwner(transit, directory, domain).finally(() => {
      if (transit.findingOwner === finding) transit.findingOwner = undefined
    })
    transit.findingOwner = finding
    return finding
  }
  noteOwner(transit, owner)
  return undefined
}

async function askOwner(transit: Transit, directory: Directory, domain: string): Promise<void> {
  const { standing } = transit
  // The charge, which is sent in this very turn, goes first: on a slow way to Redis it must not wait for this.
  await Promise.resolve()
  try {
    const owner = await within(DEADLINE, directory.askOwner(domain))
    if (transit.standing === standing) noteOwner(transit, owner)
  } catch {
    // The charge that follows says what is the matter with Redis.
  }
}

/** A domain that is the tenant's own by now is no other's: its charge will see that. */
function noteOwner(transit: Transit, owner: string | null): void {
  const { attribution } = transit
  if (owner === null || attribution.kind !== 'attributed' || owner === attribution.tenant) return
  transit.isForeign(owner)
}
