/** A message on the channel of changes. */
export type Change =
  /** The tenant, its restriction or its domains are another now, under this token. */
  | { readonly tenant: string; readonly token: string }
  /** Some names have other owners than before. */
  | { readonly owners: true }
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
  const { tenant, token, owners, connectors, previous, changed } = value as Record<string, unknown>
  if (typeof tenant === 'string' && typeof token === 'string') return { tenant, token }
  if (owners === true) return { owners }
  if (typeof connectors !== 'string') return undefined
  return {
    connectors,
    previous: typeof previous === 'string' && previous !== '' ? previous : null,
    changed: Array.isArray(changed) ? changed.filter((id) => typeof id === 'string') : [],
  }
}
