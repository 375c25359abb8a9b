import type { DomainsChange } from './domain-changes'
import { parseFlags, type DomainFlags } from './formats'

/** A message on the channel of changes. */
export type Change =
  /** The tenant, its restriction or its domains have changed; this is the new token. */
  | {
      readonly tenant: string
      readonly token: string
      /** The change itself, if only domains have changed and not too many for one message. */
      readonly domains: DomainsChange | undefined
    }
  /** The owners of these names may have changed; `undefined`: of any name. */
  | { readonly owners: true; readonly names: readonly string[] | undefined }
  /** What Redis lost has been reported; a version that does not know that checks the registry. */
  | { readonly lost: true }
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
  const { tenant, token, owners, registry, connectors, previous, changed, domains, names, lost } =
    value as Record<string, unknown>
  if (typeof tenant === 'string' && typeof token === 'string') {
    return { tenant, token, domains: toDomainsChange(token, previous, domains) }
  }
  if (owners === true) return { owners, names: isStrings(names) ? names : undefined }
  if (lost === true) return { lost }
  if (typeof registry === 'string') return { registry }
  if (typeof connectors !== 'string') return undefined
  return {
    connectors,
    previous: typeof previous === 'string' && previous !== '' ? previous : null,
    changed: Array.isArray(changed) ? changed.filter((id) => typeof id === 'string') : [],
  }
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
