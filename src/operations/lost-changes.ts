import { count } from '../base/count'
import { InputError } from '../base/errors'
import { batchesOf } from '../base/lists'
import type { Connector } from '../mail/tenant'
import { addEntry } from '../records/audit-trail'
import type { Mark } from '../records/token'
import { decodeConnector } from '../registry/connector-reader'
import { readEntries } from '../registry/domain-entries'
import { acceptContent } from '../registry/epoch'
import { formatFlags, packConnector } from '../registry/formats'
import {
  forgetLost,
  OWNERS,
  readLost,
  type LostChange,
  type LostReport,
} from '../registry/lost-changes'
import { TenantRegistry } from '../registry/tenant-registry'
import { isConnector } from '../registry-file/record'
import type { Store } from '../store/store'

/** Subjects read at a time. */
const BATCH = 200
const DOMAIN = 'domain '

/** A change that Redis lost when it went back in time, as it stands now. */
export interface KnownChange extends LostChange {
  /** A tenant, or a connector (`tenant/name`). */
  readonly subject: string
  /** The latest change of the subject that a process knows. */
  readonly known: Mark
  /** `restored`: Redis holds it again; `overtaken`: something else was written since Redis went back. */
  readonly state: 'lost' | 'restored' | 'overtaken'
}

/** What Redis has lost, as far as it is known. */
export interface WentBack extends LostReport {
  readonly changes: readonly KnownChange[]
  /** A person has to resolve some of it; else all of it was put back, or written since. */
  readonly isOpen: boolean
}

/** Reads what Redis has lost; `undefined`: it has not gone back in time, or that is resolved. @throws what ioredis throws. */
export async function readWentBack(store: Store): Promise<WentBack | undefined> {
  const report = await readLost(store)
  if (!report) return undefined
  const changes: KnownChange[] = []
  for (const batch of batchesOf(report.lost, BATCH)) {
    const read = batch.map(async ({ subject, known, changes: of }) => {
      if (of.length === 0) return []
      const values = await currentValues(store, subject, of)
      return statesOf(of, values).map((state, at) => ({ ...of[at]!, subject, known, state }))
    })
    changes.push(...(await Promise.all(read)).flat())
  }
  const isLost = changes.some(({ state }) => state === 'lost')
  const hasMore = report.lost.some(({ subject, more }) => more > 0 || subject === OWNERS)
  return { ...report, changes, isOpen: isLost || hasMore || report.missing.length > 0 }
}

/**
 * Accepts what Redis holds: processes drop what they know and Redis has lost, except restrictions and their lifts.
 *
 * @throws what ioredis throws.
 */
export async function acceptRedis(
  store: Store,
  { changes, missing }: WentBack,
  { reason }: { readonly reason: string },
): Promise<void> {
  const lost = changes.filter(({ state }) => state === 'lost').length
  const dropped = `without ${count(lost, 'lost change')}, ${count(missing.length, 'missing one')}`
  await note(store, 'Redis accepted', dropped, reason)
  await forgetLost(store, await acceptContent(store))
}

/** Adds an entry about a decision to the audit trail. */
export function note(store: Store, what: string, amount: string, reason: string): Promise<void> {
  return addEntry(store, store.keys.tenantsAudit, { subject: '', what, to: `${amount}; ${reason}` })
}

/** What Redis holds of these changes, in the same order. */
async function currentValues(
  store: Store,
  subject: string,
  changes: readonly LostChange[],
): Promise<(string | null)[]> {
  const { client, keys } = store
  if (subject.includes('/')) {
    const json = await client.hget(keys.connectors, subject)
    return changes.map(() => json)
  }
  const tenant: Readonly<Record<string, string | number | undefined>> = {
    ...(await new TenantRegistry(store).get(subject)),
  }
  const names = changes.map(({ what }) => domainOf(what)).filter((domain) => domain !== undefined)
  const entries = await readEntries(store, subject, names)
  const flags = new Map(names.map((domain, at) => [domain, entries[at]]))
  return changes.map(({ what }) => {
    const domain = domainOf(what)
    const found = domain === undefined ? undefined : flags.get(domain)
    if (domain !== undefined) return found ? formatFlags(found) : null
    const value = tenant[what === 'tenant' ? 'createdAt' : what]
    return value === undefined ? null : String(value)
  })
}

function statesOf(
  changes: readonly LostChange[],
  values: readonly (string | null)[],
): KnownChange['state'][] {
  const states = changes.map(({ what, was, is }, at) => {
    const value = values[at]!
    if (isSame(what, value, is)) return 'restored'
    return isSame(what, value, was) ? 'lost' : 'overtaken'
  })
  // Values of another tenant with this id say nothing.
  const ofTenant = states[changes.findIndex(({ what }) => what === 'tenant')]
  return ofTenant === 'overtaken' ? states.map(() => ofTenant) : states
}

function isSame(what: string, a: string | null, b: string | null): boolean {
  if (a === b) return true
  if (what !== 'connector' || a === null || b === null) return false
  return packed(a) === packed(b)
}

/** Its JSON as this version writes it. */
function packed(json: string): string {
  const connector = toConnector('', json)
  return connector ? packConnector(connector) : json
}

/** The connector in a report; `undefined`: it cannot be read. */
export function toConnector(id: string, json: string): Connector | undefined {
  try {
    return isConnector(json) ? decodeConnector(id, json) : undefined
  } catch (error) {
    if (error instanceof InputError) return undefined
    throw error
  }
}

/** The domain that a change is about; `undefined`: none. */
export function domainOf(what: string): string | undefined {
  return what.startsWith(DOMAIN) ? what.slice(DOMAIN.length) : undefined
}
