import { count } from '../base/count'
import { RefusedError } from '../base/errors'
import type { Work } from '../base/work'
import { scanSet } from '../store/scan'
import type { Store } from '../store/store'
import { applyTenantsFile } from '../tenants-file/apply'
import type { TenantsFile } from '../tenants-file/tenants-file'
import { lossOf, type Loss } from './loss'

/** A prune may take this many tenants without their number being given, and not more than this share of them … */
const MOST_TENANTS = 10
const SHARE_OF_TENANTS = 0.01
/** … but one in any case; and this share of the domains and of the connectors, but ten of each in any case. */
const SHARE_OF_THEIRS = 0.05
const FEW_OF_THEIRS = 10

/** Tenants that a refusal names. */
const NAMED = 10

/** What `apply --prune` would remove, out of what there is. */
export interface Prune {
  readonly loss: Loss
  /** How many tenants would go. */
  readonly tenants: number
  /** Why a person must give their number; `undefined`: it is a small one. */
  readonly large: string | undefined
}

/** Compares a tenants file with Redis as `apply --prune` does, and writes nothing. */
export async function readPrune(store: Store, file: TenantsFile, work: Work): Promise<Prune> {
  const options = { dryRun: true, prune: true }
  const { removal } = await applyTenantsFile(store, file, options, work)
  const loss = await lossOf(store, removal)
  const all = await registered(store)
  const tenants = removal.tenants.length
  const parts = [
    isMany(tenants, all.tenants, 1, SHARE_OF_TENANTS) || tenants > MOST_TENANTS
      ? [`${tenants} of ${count(all.tenants, 'tenant')}`]
      : [],
    isMany(loss.domains, all.domains, FEW_OF_THEIRS, SHARE_OF_THEIRS)
      ? [`${loss.domains} of ${count(all.domains, 'domain')}`]
      : [],
    isMany(loss.connectors, all.connectors, FEW_OF_THEIRS, SHARE_OF_THEIRS)
      ? [`${loss.connectors} of ${count(all.connectors, 'connector')}`]
      : [],
  ].flat()
  return { loss, tenants, large: parts.length === 0 ? undefined : parts.join(', ') }
}

/**
 * Checks that a prune is the one that a person means: a large one takes the very number of tenants that go.
 *
 * @param given that number.
 * @throws {RefusedError} it is large and no number was given, or another one.
 */
export function assertMeant({ loss, tenants, large }: Prune, given: number | undefined): void {
  if (given === tenants || (given === undefined && large === undefined)) return
  const what =
    given === undefined
      ? `--prune would remove ${large}`
      : `--prune=${given} was given, and ${count(tenants, 'tenant')} would go`
  throw new RefusedError(
    `${what}, and nothing was written${named(loss)}: if that is right, give the number of tenants that go, --prune=${tenants}`,
  )
}

function isMany(some: number, all: number, few: number, share: number): boolean {
  return some > few && some > share * all
}

/** Tenants in use come first. */
function named({ tenants }: Loss): string {
  const whole = tenants.filter((each) => each.whole)
  if (whole.length === 0) return ''
  const names = whole
    .slice(0, NAMED)
    .map(({ id, inUse }) => (inUse ? `${id} with mail in the last seven days` : id))
  const more = whole.length - names.length
  return ` (${names.join(', ')}${more > 0 ? ` and ${more} more` : ''})`
}

async function registered(
  store: Store,
): Promise<{ tenants: number; domains: number; connectors: number }> {
  const { client, keys } = store
  let domains = 0
  for await (const ids of scanSet(store, keys.tenants)) {
    const lengths = await Promise.all(ids.map((id) => client.hlen(keys.domains(id))))
    for (const length of lengths) domains += length
  }
  return {
    tenants: await client.scard(keys.tenants),
    domains,
    connectors: await client.hlen(keys.connectors),
  }
}
