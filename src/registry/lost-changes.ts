import { markOf, type Mark } from '../records/token'
import { readScript } from '../store/script'
import type { Store } from '../store/store'

const REPORT = readScript(__dirname, 'lost_report')
const FORGET = readScript(__dirname, 'lost_forget')

/** The subject of a report about the owners of domains. */
export const OWNERS = '@owners'

/** Changes in one report at most; further ones are counted. */
export const MOST_CHANGES = 1000

/**
 * A change that Redis has lost: it went back from `is` to `was`. It counts as long as Redis still holds `was`: what is
 * written later wins.
 */
export interface LostChange {
  /**
   * `domain NAME` (flags as `formatFlags` writes them), a field of the tenant (`mode`, `limits`, …), `tenant` (its
   * `createdAt`), or `connector` (its JSON).
   */
  readonly what: string
  /** What Redis holds; `null`: nothing. */
  readonly was: string | null
  /** What it held before it went back; `null`: nothing. */
  readonly is: string | null
}

/** The changes of a tenant or a connector that Redis has lost, and that a process knows. */
export interface LostChanges {
  /** A tenant, a connector (`tenant/name`), or {@link OWNERS}, whose changes follow from those of tenants. */
  readonly subject: string
  /** The latest change that a process knows. */
  readonly known: Mark
  /** The latest one that Redis holds. */
  readonly found: Mark
  readonly changes: readonly LostChange[]
  /** How many more there are than in `changes`. */
  readonly more: number
}

/** Redis has lost a change that was announced, and no process knows what it was. */
export interface MissingChange {
  /** A tenant; `@connectors` or `@tenants`: something of all of them. */
  readonly subject: string
  readonly known: Mark
  readonly found: Mark
}

/** A restriction, or its lift, that a process has put back. */
export interface PutBack {
  readonly subject: string
  readonly what: 'restriction' | 'lift'
  /** `tenant:number`, or empty. */
  readonly case: string
  /** When it was placed or lifted, in ms since the epoch, server time. */
  readonly time: number
  readonly known: Mark
  readonly found: Mark
}

/** All that is known of a Redis that went back in time, and not resolved. */
export interface LostReport {
  /** Server time of the first report, in ms since the epoch. */
  readonly since: number
  readonly lost: readonly LostChanges[]
  readonly missing: readonly MissingChange[]
  readonly putBack: readonly PutBack[]
  /** Grows whenever more is reported. */
  readonly version: number
  /** The version that the leader has told people of: see `process/lost-duty.ts`; 0: none. */
  readonly told: number
}

/** What a process reports. */
export type Finding =
  | ({ readonly kind: 'lost' } & LostChanges)
  | ({ readonly kind: 'missing' } & MissingChange)
  | ({ readonly kind: 'back' } & PutBack)

/**
 * Reports what Redis has lost, and tells all processes. Of two reports about the same subject the one of the later change
 * stays; lost changes without any change withdraw what was reported.
 *
 * @throws what ioredis throws.
 */
export async function reportLost(store: Store, findings: readonly Finding[]): Promise<void> {
  const args = findings.flatMap(({ kind, subject, ...facts }) => [
    `${kind} ${subject}`,
    String(facts.known),
    'changes' in facts && facts.changes.length + facts.more === 0 ? '' : JSON.stringify(facts),
  ])
  await store.run(REPORT, [store.keys.lost, store.keys.eventCounts], args)
}

/**
 * Reads what processes have reported; `undefined`: Redis has not gone back, or that is resolved.
 *
 * @throws what ioredis throws.
 */
export async function readLost({ client, keys }: Store): Promise<LostReport | undefined> {
  const fields = await client.hgetall(keys.lost)
  if (!fields['since']) return undefined
  const lost: LostChanges[] = []
  const missing: MissingChange[] = []
  const putBack: PutBack[] = []
  for (const [field, json] of Object.entries(fields).sort(([a], [b]) => (a < b ? -1 : 1))) {
    const [kind, subject] = field.split(' ') as [string, string | undefined]
    if (subject === undefined) continue
    const facts = { subject, ...(JSON.parse(json) as object) }
    // Tenants say which domains are theirs, so it is known who owns which.
    if (subject === OWNERS) lost.push({ ...(facts as MissingChange), changes: [], more: 0 })
    else if (kind === 'lost') lost.push(facts as LostChanges)
    else if (kind === 'missing') missing.push(facts as MissingChange)
    else if (kind === 'back') putBack.push(facts as PutBack)
  }
  // All of it has been withdrawn.
  if (lost.length + missing.length + putBack.length === 0) return undefined
  const { since, version, told = 0 } = fields
  return {
    since: Number(since),
    version: Number(version),
    told: Number(told),
    lost,
    missing,
    putBack,
  }
}

/** Whether there may be something that the leader has not told people of: cheap, however long the report is. */
export async function hasUntold({ client, keys }: Store): Promise<boolean> {
  const [version, told] = await client.hmget(keys.lost, 'version', 'told')
  return version !== told
}

/** Changes whenever the report does: cheap, however long that is. `undefined`: there is none. */
export async function reportMark({ client, keys }: Store): Promise<string | undefined> {
  const [length, fields] = await Promise.all([
    client.hlen(keys.lost),
    client.hmget(keys.lost, 'since', 'version', 'told'),
  ])
  return fields[0] ? [length, ...fields].join(' ') : undefined
}

/** Notes which version of the report the leader has told people of. @throws what ioredis throws. */
export async function noteTold({ client, keys }: Store, version: number): Promise<void> {
  await client.hset(keys.lost, { told: version })
}

/**
 * Forgets a report of a day ago, if all that Redis had lost was put back: there is nothing to resolve.
 *
 * @throws what ioredis throws.
 */
export async function forgetPutBack(store: Store): Promise<void> {
  await store.run(FORGET, [store.keys.lost], ['old'])
}

/**
 * Forgets all reports of what was lost before, also those that have not been made yet.
 *
 * @param accepted when an operator accepted what Redis holds.
 * @throws what ioredis throws.
 */
export async function forgetLost(store: Store, accepted: Mark): Promise<void> {
  await store.run(FORGET, [store.keys.lost], [accepted])
}

/** Forgets the reports about some tenants or connectors. @throws what ioredis throws. */
export async function forgetLostOf(
  { client, keys }: Store,
  isMeant: (subject: string) => boolean,
): Promise<void> {
  const fields = await client.hkeys(keys.lost)
  const meant = fields.filter((field) => field.includes(' ') && isMeant(field.split(' ')[1]!))
  if (meant.length > 0) await client.hdel(keys.lost, ...meant)
}

/**
 * From the latest change that Redis still held when it had gone back to the latest that it is known to have lost, in ms since
 * the epoch, server time. `from` is 0 if it held none.
 */
export function spanOfLoss({ lost, missing, putBack }: LostReport): {
  readonly from: number
  readonly to: number
} {
  const all = [...lost, ...missing, ...putBack]
  // What was written after the return says nothing about it.
  const held = all.filter(({ known, found }) => found < known).map(({ found }) => found)
  return {
    from: markTime(Math.max(0, ...held)),
    to: markTime(Math.max(0, ...all.map(({ known }) => known))),
  }
}

/** Whether a person has to resolve something; else all that Redis lost was put back. */
export function isOpen({ lost, missing }: LostReport): boolean {
  return lost.length + missing.length > 0
}

const SHARED: Readonly<Record<string, string>> = {
  '@connectors': 'the connectors',
  [OWNERS]: 'the owners of domains',
  '@tenants': 'the list of tenants',
}

/** The subject of a report, for people. */
export function subjectText(subject: string): string {
  return SHARED[subject] ?? subject
}

/** The time of a mark, in ms since the epoch. */
export function markTime(mark: Mark): number {
  return Math.floor(mark / 1000)
}

/** The latest change of a tenant: of its domains, or of all the rest. */
export function tenantMark(tenant: {
  readonly domainsToken: string | null | undefined
  readonly stateToken: string | null | undefined
}): Mark {
  return markOf(tenant.domainsToken, tenant.stateToken)
}
