import type { DomainsChange } from './domain-changes'
import { parseFlags, type DomainFlags } from './formats'

/** A message on the channel of changes. */
export type Change =
  /** The tenant, its restriction or its domains are another now, under this token. */
  | {
      readonly tenant: string
      readonly token: string
      /** What has changed, where it is only domains, and not too many of them to be told. */
      readonly domains: DomainsChange | undefined
    }
  /** These names may have other owners than before; `undefined`: any may. */
  | { readonly owners: true; readonly names: readonly string[] | undefined }
  /** The registry has another epoch. */
  | { readonly registry: string }
  /** These connectors (`tenant/name`) changed between the two tokens. */
  | {
      readonly connectors: string
      readonly previous: string | null
      readonly changed: readonly string[]
    }

/** Reads a message; `undefined`: not one of ours. */
export function parseChange(message: string): Change | undefined {
  let value: unknown
  try {
    value = JSON.parse(message)
  } catch {
    return undefined
  }
  if (typeof value !== 'object' || value === null) return undefined
  const { tenant, token, owners, registry, connectors, previous, changed, domains, names } =
    value as Record<string, unknown>
  if (typeof tenant === 'string' && typeof token === 'string') {
    return { tenant, token, domains: toDomainsChange(token, previous, domains) }
  }
  if (owners === true) return { owners, names: isStrings(names) ? names : undefined }
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

/** `undefined` where the message does not tell all: then the list is to be read. */
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
