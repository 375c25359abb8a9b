import type * as Tldts from 'tldts'
import { onDemand } from '../base/on-demand'

/** Its list of public suffixes takes 0.9 MB, and mail needs it only where forwards are proven. */
// eslint-disable-next-line @typescript-eslint/no-require-imports
const tldts = onDemand(() => require('tldts') as typeof Tldts)

/** Names come from {@link toDomain}: there is nothing to extract, and tldts knows no underscores. */
const OPTIONS = { allowPrivateDomains: true, extractHostname: false, validateHostname: false }

/**
 * RFC 6762 (local), RFC 8375 (home.arpa), ICANN's reservation of 2024 (internal), and what routers
 * and Unix systems call their own networks.
 */
const PRIVATE_TREE = /(?:^|\.)(?:local|lan|internal|localdomain|home\.arpa)$/

/**
 * What an organisation registers: the public suffix and one label more, `mail.contoso.co.uk` →
 * `contoso.co.uk`. Private suffixes count (`contoso.github.io`). `undefined` for a public suffix and
 * for a single label. By the Public Suffix List inside tldts.
 */
export function registrableDomain(domain: string): string | undefined {
  return tldts().parse(domain, OPTIONS).domain ?? undefined
}

/**
 * The kind of public suffix that the name itself is: `icann` (`com`, `co.uk`), where registries
 * register; `private` (`github.io`), where a company gives names to its customers; else `undefined`.
 */
export function publicSuffixKind(domain: string): 'icann' | 'private' | undefined {
  const { publicSuffix, isIcann, isPrivate } = tldts().parse(domain, OPTIONS)
  if (publicSuffix !== domain) return undefined
  if (isIcann) return 'icann'
  return isPrivate ? 'private' : undefined
}

/** Nobody owns such a name: a single label that is no top-level domain, `.local`, `.lan` … */
export function isOutsidePublicDns(domain: string): boolean {
  if (PRIVATE_TREE.test(domain)) return true
  return !domain.includes('.') && publicSuffixKind(domain) === undefined
}
