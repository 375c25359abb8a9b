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

/** What is the same for every backend: ASCII without blanks and upper case. */
const PLAIN = /^[!-@[-~]*$/

/**
 * The form in which user names are the same to a backend that ignores blanks around them (SQL's PAD SPACE, LDAP), case, or
 * how a character is encoded: trimmed, and NFKC_Casefold (UAX #31) as far as JavaScript knows it. Never throws.
 */
export function foldAuthUser(user: string): string {
  if (PLAIN.test(user)) return user
  const compatible = user.normalize('NFKC').replace(/\p{Default_Ignorable_Code_Point}/gu, '')
  const { user: name, domain } = normalizeAuthUser(compatible.trim())
  if (domain === undefined) return foldCase(name)
  // A domain has a form of its own, in which ß is no ss.
  return `${foldCase(name.slice(0, -domain.length - 1))}@${domain}`
}

function foldCase(text: string): string {
  return text.toUpperCase().toLowerCase().normalize('NFKC').trim()
}
