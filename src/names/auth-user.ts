import { toDomain } from './domain'

export interface AuthUser {
  /** In lower case, the domain as A-labels: by this, users are compared. */
  readonly user: string
  /** What stands behind the last `@`, if it can be a DNS name and something stands before it. */
  readonly domain: string | undefined
}

/**
 * An SMTP AUTH user name for comparison. Case is ignored: for a backend that ignores it, `ALICE` is
 * `alice`, and must not slip past the connector of `alice`. Never throws.
 */
export function normalizeAuthUser(user: string): AuthUser {
  const lower = user.toLowerCase()
  const at = user.lastIndexOf('@')
  const domain = at > 0 ? toDomain(user.slice(at + 1)) : undefined
  if (domain === undefined) return { user: lower, domain: undefined }
  return { user: `${user.slice(0, at).toLowerCase()}@${domain}`, domain }
}
