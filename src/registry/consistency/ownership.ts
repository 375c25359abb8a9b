import { tenantctl } from '../../base/command-line'
import { parentsOf, reverseLabels } from '../../names/domain'
import { batchesOf, grouped } from '../../base/lists'
import { scanHash, scanSortedSet } from '../../store/scan'
import { readScript } from '../../store/script'
import type { Store } from '../../store/store'
import { readAllEntries, readEntries } from '../domain-entries'
import { finishMove, unfinishedMoves, type Move } from '../domain-move'
import { forAPerson, repairable, type Inconsistency } from './inconsistency'
import { BATCH, readClaims } from '../owners'
import { unpackClaim, type Claim } from '../formats'
import { interruptedAmong, readPending, type PendingName } from '../pending'
import { reconcileClaims } from '../reconcile'

const INDEX = readScript(__dirname, 'owners_index')
const SCAN_PIECE = 1000
const TENANTS_AT_ONCE = 200
/** Named as the one who added what the repair completes. */
const REPAIR = 'doctor'

type Claims = Map<string, Claim & { tenant: string }>

/**
 * Compares claims, their index, unfinished moves and the tenants' own lists. What a running command is about to write is
 * not compared.
 */
export async function findInOwnership(
  store: Store,
  tenants: ReadonlySet<string>,
): Promise<Inconsistency[]> {
  const { keys } = store
  const claims: Claims = new Map()
  await scanHash(store, keys.ownerNames, SCAN_PIECE, (domain, packed) =>
    claims.set(domain, unpackClaim(domain, packed)),
  )
  const indexed = await scanSortedSet(store, keys.ownerIndex)
  const moves = await unfinishedMoves(store)
  // After the claims, which are pending before they are there, and before the lists.
  const pending = await readPending(store)
  const interrupted = new Set(await interruptedAmong(store, pending))
  const running = pending.filter((each) => !interrupted.has(each))
  const busy = new Set([...moves, ...running].map(({ domain }) => domain))

  const suspects = await suspectsIn(store, claims, tenants)
  let confirmed: Inconsistency[] = []
  for (const [tenant, domains] of suspects) {
    const idle = [...domains].filter((domain) => !busy.has(domain))
    confirmed = confirmed.concat(await lookAgain(store, tenant, idle, tenants.has(tenant)))
  }
  const named = new Set(confirmed.map(({ subject }) => subject))
  return [
    ...moves.map(leftHalfWay),
    ...confirmed,
    ...[...interrupted].filter(({ domain }) => !named.has(domain)).map(leftPending),
    ...coveredTwice(claims),
    ...outOfIndex(claims, indexed),
  ]
}

function leftHalfWay({ domain, from, to }: Move): Inconsistency {
  const about = { tenant: to, subject: domain }
  if (to === '') {
    const text = `${domain} was to leave ${from}, but nobody owns it`
    return repairable('unfinished-move', about, text, `claimed for ${from}, if it is on its list`)
  }
  const text = `${domain} was to move from ${from} to ${to}, and was left half-way`
  const remedy = `moved to ${to}, or given back to ${from} where ${to} is gone`
  return repairable('unfinished-move', about, text, remedy)
}

function leftPending({ domain, tenant }: PendingName): Inconsistency {
  return repairable(
    'interrupted-change',
    { tenant, subject: domain },
    `a command that was changing ${domain} of ${tenant} was interrupted`,
    'its owner and its entry agree; noted as finished',
  )
}

/** Domains by tenant whose claim and entry differed when they were read one after the other. */
async function suspectsIn(
  store: Store,
  claims: Claims,
  tenants: ReadonlySet<string>,
): Promise<Map<string, Set<string>>> {
  const suspects = new Map<string, Set<string>>()
  const suspect = (tenant: string, domain: string): void => {
    suspects.set(tenant, (suspects.get(tenant) ?? new Set()).add(domain))
  }
  const unseen = new Set(claims.keys())
  for (const batch of batchesOf([...tenants], TENANTS_AT_ONCE)) {
    const lists = await Promise.all(batch.map((tenant) => readAllEntries(store, tenant)))
    for (const [at, list] of lists.entries()) {
      const tenant = batch[at]!
      for (const { domain, shared, subdomains } of list.values()) {
        const claim = claims.get(domain)
        const own = claim?.tenant === tenant
        if (own) unseen.delete(domain)
        if (shared ? own : !own || claim.subdomains !== subdomains) suspect(tenant, domain)
      }
    }
  }
  for (const domain of unseen) suspect(claims.get(domain)!.tenant, domain)
  return suspects
}

async function lookAgain(
  store: Store,
  tenant: string,
  domains: readonly string[],
  tenantExists: boolean,
): Promise<Inconsistency[]> {
  const claims = await readClaims(store, domains)
  const entries = await readEntries(store, tenant, domains)
  return domains.flatMap((domain, at) => {
    const about = { tenant, subject: domain }
    const claim = claims[at]
    const entry = entries[at]
    if (entry === undefined || entry.shared) {
      if (claim?.tenant !== tenant) return []
      const why = entry ? 'has it as shared' : 'does not have it among its accepted domains'
      const text = `${domain} belongs to ${tenant}, which ${tenantExists ? why : 'does not exist'}`
      return [repairable('claim-without-entry', about, text, 'the name is freed')]
    }
    const isRegistered = `${domain} is an accepted domain of ${tenant}`
    if (claim === undefined) {
      const remedy = `claimed for ${tenant}; taken off its list if another tenant covers the name`
      return [
        repairable('entry-without-claim', about, `${isRegistered}, but nobody owns it`, remedy),
      ]
    }
    if (claim.tenant !== tenant) {
      const text = `${isRegistered}, but belongs to ${claim.tenant}`
      return [repairable('entry-without-claim', about, text, `taken off the list of ${tenant}`)]
    }
    if (claim.subdomains === entry.subdomains) return []
    const [has, owned] = entry.subdomains ? ['with', 'without'] : ['without', 'with']
    const text = `${isRegistered} ${has} subdomains, but is owned ${owned}`
    return [repairable('claim-with-other-flags', about, text, `owned ${has} subdomains`)]
  })
}

function coveredTwice(claims: Claims): Inconsistency[] {
  return [...claims.values()].flatMap(({ domain, tenant }) =>
    parentsOf(domain).flatMap((parent) => {
      const above = claims.get(parent)
      if (!above?.subdomains || above.tenant === tenant) return []
      return [
        forAPerson(
          'covered-twice',
          { tenant, subject: domain },
          `${domain} of ${tenant} lies below ${parent}, which ${above.tenant} has with subdomains`,
          `remove one of them, or move it: ${tenantctl('domain', 'move', domain, above.tenant)}`,
        ),
      ]
    }),
  )
}

function outOfIndex(claims: Claims, indexed: ReadonlyMap<string, number>): Inconsistency[] {
  const missing = [...claims.keys()].filter((domain) => !indexed.has(reverseLabels(domain)))
  const extra = [...indexed.keys()].map(reverseLabels).filter((domain) => !claims.has(domain))
  return [
    ...missing.map((domain) =>
      repairable(
        'owner-index',
        { subject: domain },
        `${domain} is owned, but not in the index of owned names`,
        'entered',
      ),
    ),
    ...extra.map((domain) =>
      repairable(
        'owner-index',
        { subject: domain },
        `the index of owned names holds ${domain}, which nobody owns`,
        'taken out',
      ),
    ),
  ]
}

/** @param progress told how many claims are done. */
export async function repairOwnership(
  store: Store,
  found: readonly Inconsistency[],
  progress: (done: number) => void,
): Promise<void> {
  const { keys } = store
  const toFinish = new Set(subjectsOf(found, 'unfinished-move'))
  for (const move of await unfinishedMoves(store)) {
    if (toFinish.has(move.domain)) await finishMove(store, move, REPAIR)
  }
  // Before the claims: names that prevent a claim are looked up in the index.
  for (const batch of batchesOf(subjectsOf(found, 'owner-index'), BATCH)) {
    await store.run(INDEX, [keys.ownerNames, keys.ownerIndex], batch)
  }
  let done = 0
  // Names are freed before others are claimed.
  for (const kinds of [
    ['claim-without-entry'],
    ['entry-without-claim', 'claim-with-other-flags', 'interrupted-change'],
  ]) {
    const claims = found.filter(({ kind }) => kinds.includes(kind))
    for (const [tenant, of] of grouped(claims, (each) => each.tenant)) {
      const domains = of.map(({ subject }) => subject)
      const before = done
      await reconcileClaims(store, tenant, domains, {
        which: 'idle',
        progress: (now) => progress(before + now),
      })
      done += domains.length
    }
  }
}

function subjectsOf(found: readonly Inconsistency[], kind: Inconsistency['kind']): string[] {
  return found.filter((each) => each.kind === kind).map(({ subject }) => subject)
}
