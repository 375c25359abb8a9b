import type { Lift, RestrictionFields } from '../allowance/standing'
import { parseQuestion, type Question } from '../nodes/question'
import { markOf, type Mark } from '../records/token'
import type { DomainsChange } from './domain-changes'
import { parseFlags, type DomainFlags } from './formats'

/** What of a tenant has changed; `unknown`: a version before this one does not say. */
export type About =
  | { readonly what: 'domains' | 'removal' | 'unknown' }
  | {
      readonly what: 'settings'
      /** The new value of each field of the tenant that has changed, `tenant` for its `createdAt`; `undefined`: not said. */
      readonly settings: ReadonlyMap<string, string | null> | undefined
    }
  | {
      readonly what: 'restriction'
      /** The tenant's `createdAt`. */
      readonly created: string
      readonly restriction: RestrictionFields
    }
  | { readonly what: 'lift'; readonly created: string; readonly lift: Lift }

/** A message on the channel of changes. */
export type Change =
  /** The tenant, its restriction or its domains have changed; this is the new token. */
  | {
      readonly tenant: string
      readonly token: string
      /** The change itself, if only domains have changed and not too many for one message. */
      readonly domains: DomainsChange | undefined
      readonly about: About
    }
  /** The owners of these names may have changed; `undefined`: of any name. */
  | {
      readonly owners: true
      readonly names: readonly string[] | undefined
      /** Of all claims by then; 0: a version before this one does not say. */
      readonly version: Mark
    }
  /** What Redis lost has been reported; a version that does not know that checks the registry. */
  | { readonly lost: true }
  /** Orders to the queues of all hosts were given; a version that does not know that checks the registry. */
  | { readonly orders: true }
  /** Enforcement was paused or resumed, by the change of this mark; a version that does not know that checks the registry. */
  | { readonly pause: Mark }
  /** Whether this process has changes in force is to be said; a version that does not know that checks the registry. */
  | Question
  /** The registry has another epoch, or an operator has accepted its content. */
  | { readonly registry: string }
  /** These connectors (`tenant/name`) changed between the two tokens. */
  | {
      readonly connectors: string
      readonly previous: string | null
      readonly changed: readonly string[]
    }

/** Reads a message; `undefined`: unknown. */
export function parseChange(message: string): Change | undefined {
  let value: unknown
  try {
    value = JSON.parse(message)
  } catch {
    return undefined
  }
  if (typeof value !== 'object' || value === null) return undefined
  const {
    tenant,
    token,
    owners,
    registry,
    connectors,
    previous,
    changed,
    domains,
    names,
    lost,
    orders,
    version,
    pause,
  } = value as Record<string, unknown>
  if (typeof tenant === 'string' && typeof token === 'string') {
    const about = toAbout(value as Record<string, unknown>)
    return { tenant, token, domains: toDomainsChange(token, previous, domains), about }
  }
  if (owners === true) {
    return { owners, names: isStrings(names) ? names : undefined, version: Number(version) || 0 }
  }
  if (lost === true) return { lost }
  if (orders === true) return { orders }
  if (typeof pause === 'string') return { pause: Number(pause) || 0 }
  if (typeof registry === 'string') {
    return parseQuestion(value as Record<string, unknown>) ?? { registry }
  }
  if (typeof connectors !== 'string') return undefined
  return {
    connectors,
    previous: typeof previous === 'string' && previous !== '' ? previous : null,
    changed: Array.isArray(changed) ? changed.filter((id) => typeof id === 'string') : [],
  }
}

/** When a change of the registry was made. */
export function changeMark(
  change: Extract<Change, { tenant: string } | { owners: true } | { connectors: string }>,
): Mark {
  if ('owners' in change) return change.version
  return markOf('tenant' in change ? change.token : change.connectors)
}

/** Whether a person has placed or lifted a restriction. */
export function isByPerson(about: About): boolean {
  return (
    about.what === 'lift' ||
    (about.what === 'restriction' && about.restriction['by'] !== 'automatic')
  )
}

function toAbout(message: Record<string, unknown>): About {
  const { about, created, restriction, lift, settings } = message
  if (about === 'domains' || about === 'removal') return { what: about }
  if (about === 'settings') return { what: about, settings: toSettings(settings) }
  if (typeof created !== 'string') return { what: 'unknown' }
  if (about === 'restriction' && isTexts(restriction) && restriction['scope']) {
    return { what: about, created, restriction }
  }
  if (about === 'lift' && isTexts(lift) && lift['at'] && lift['since']) {
    return { what: about, created, lift: lift as Lift }
  }
  return { what: 'unknown' }
}

/** An empty value: back to the default. */
function toSettings(settings: unknown): Map<string, string | null> | undefined {
  if (!isTexts(settings)) return undefined
  return new Map(Object.entries(settings).map(([field, value]) => [field, value || null]))
}

function isTexts(value: unknown): value is Record<string, string> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  return Object.values(value).every((each) => typeof each === 'string')
}

function isStrings(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((each) => typeof each === 'string')
}

/** `undefined` if the message does not hold the whole change: then the list must be read. */
function toDomainsChange(
  token: string,
  previous: unknown,
  domains: unknown,
): DomainsChange | undefined {
  if (typeof previous !== 'string' || typeof domains !== 'object' || domains === null) {
    return undefined
  }
  const flags = new Map<string, DomainFlags | null>()
  for (const [domain, packed] of Object.entries(domains as Record<string, unknown>)) {
    if (packed !== null && typeof packed !== 'string') return undefined
    flags.set(domain, packed === null ? null : parseFlags(packed))
  }
  return { previous, token, domains: flags }
}
