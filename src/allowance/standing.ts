import { markOf, type Mark } from '../records/token'
import { readScript } from '../store/script'
import type { Store } from '../store/store'

const READ = readScript(__dirname, 'standing')

/** Fields of a restriction as Redis holds them. */
export type RestrictionFields = Readonly<Record<string, string>>

/** A lift as it is announced: see `lua/include/standing.lua`. */
export interface Lift extends Readonly<Record<string, string>> {
  /** ms since the epoch, server time; not before the restriction. */
  readonly at: string
  /** When the restriction was placed that it lifted; ms since the epoch. */
  readonly since: string
}

/** Whether a tenant is restricted, as one process knows it. */
export interface Standing {
  /** `createdAt` of the tenant: a later tenant of that id is another one. */
  readonly created: string
  readonly restriction: RestrictionFields | undefined
  /** The last lift, where this process has heard of it. */
  readonly lift: Lift | undefined
}

/** The same as Redis holds it. */
export interface StandingRead {
  readonly created: string
  readonly restriction: RestrictionFields | undefined
  /** Time of the last lift, in ms since the epoch; 0: none. */
  readonly liftedAt: number
  /** The tenant's latest change. */
  readonly mark: Mark
}

/**
 * What to do about a difference: `accept` what Redis holds; go on with what is known, and put the restriction or the lift
 * `back`; or go on with what is known, since Redis holds an earlier tenant of that id (`keep`).
 */
export type Verdict = 'accept' | 'restriction back' | 'lift back' | 'keep'

/**
 * Compares what is known of a restriction with what Redis holds. Times of restrictions and lifts never run backward in one
 * tenant, so the later one is in effect, unless Redis holds an earlier one that is wider.
 */
export function compare(known: Standing, read: Omit<StandingRead, 'mark'>): Verdict {
  if (known.created !== read.created) {
    return Number(read.created) > Number(known.created) ? 'accept' : 'keep'
  }
  const { restriction, lift } = known
  if (restriction) {
    const since = Number(restriction['since'])
    if (read.liftedAt >= since) return 'accept'
    const there = read.restriction
    const isLater = there !== undefined && Number(there['since']) >= since
    const isAsWide = there?.['scope'] === 'all' || restriction['scope'] !== 'all'
    return isLater && isAsWide ? 'accept' : 'restriction back'
  }
  if (lift === undefined || read.liftedAt >= Number(lift.at)) return 'accept'
  const there = read.restriction
  // A version that lets times run backward may have restricted it later, with an earlier time than that of the lift.
  return there && Number(there['since']) > Number(lift.since) ? 'accept' : 'lift back'
}

/** What is known after reading: the lift stays known where Redis holds no later one. */
export function accepted(known: Standing | undefined, read: StandingRead): Standing {
  const { created, restriction } = read
  const lift = known?.created === created && !restriction ? known.lift : undefined
  return { created, restriction, lift }
}

/** Reads it; `undefined`: no such tenant. @throws what ioredis throws. */
export async function readStanding(
  store: Store,
  tenant: string,
): Promise<StandingRead | undefined> {
  const { keys } = store
  const reply = (await store.run(READ, [keys.tenant(tenant), keys.restriction(tenant)], [])) as
    [created: string, lifted: string, domains: string, state: string, ...fields: string[]] | null
  if (reply === null) return undefined
  const [created, lifted, domains, state, ...fields] = reply
  return toStanding(created, lifted, markOf(domains, state), fields)
}

/** @param fields names and values of the restriction in turn. */
export function toStanding(
  created: string,
  lifted: string,
  mark: Mark,
  fields: readonly string[],
): StandingRead {
  const restriction: Record<string, string> = {}
  for (let at = 0; at + 1 < fields.length; at += 2) restriction[fields[at]!] = fields[at + 1]!
  return {
    created,
    restriction: restriction['scope'] ? restriction : undefined,
    liftedAt: Number(/^\d+/.exec(lifted)?.[0] ?? 0),
    mark,
  }
}
