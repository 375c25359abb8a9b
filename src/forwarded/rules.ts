import type { Field } from 'mailauth/lib/tools'
import { parseHeaderAddresses } from '../names/header-addresses'
import { registrableDomain } from '../names/registrable'
import type { Reason } from './finding'
import { mailauth } from './mailauth'
import { Unreadable } from './message'
import type { Signature } from './signature'

/**
 * The domain of the one address in From; `undefined` if it holds several, or is not clear. With several fields, or none,
 * nobody knows what is shown, whatever is signed (RFC 6376 §8.15).
 */
export function fromDomain(fields: readonly Field[]): string | undefined {
  const [field, ...others] = fields.filter(({ key }) => key === 'from')
  if (!field || others.length > 0) throw new Unreadable('no single from')
  const { addresses, clear } = parseHeaderAddresses(valueOf(field))
  return clear && addresses.length === 1 ? addresses[0]?.domain : undefined
}

/** A public suffix is nobody's: neither `co.uk` nor, being private, `github.io`. */
export function organisationsOf(...domains: readonly (string | undefined)[]): ReadonlySet<string> {
  return new Set(domains.flatMap((domain) => (domain && registrableDomain(domain)) || []))
}

/** What speaks against a DKIM signature, whatever it covers: told without asking anybody. */
export function ruledOut(
  { algorithm, isLimited, expires, domain }: Signature,
  organisations: ReadonlySet<string>,
  now: number,
): Reason | undefined {
  if (algorithm === 'weak') return 'weak algorithm'
  if (isLimited) return 'body length limited'
  if (expires !== undefined && expires * 1000 < now) return 'expired'
  const organisation = registrableDomain(domain)
  return organisation !== undefined && organisations.has(organisation) ? undefined : 'not aligned'
}

/**
 * Whether a To or Cc names an accepted domain: by the fields alone that the signature covers, since any others may have
 * been added on the way (RFC 6376 §5.4.2). A field that can be read in several ways names nobody.
 */
export function isAddressed(
  { names }: Signature,
  fields: readonly Field[],
  isAccepted: (domain: string) => boolean,
): boolean {
  const covered = mailauth().getSigningHeaderLines(fields, names.join(':'), true).headers
  return covered
    .filter(({ key }) => key === 'to' || key === 'cc')
    .some((field) => {
      const { addresses, clear } = parseHeaderAddresses(valueOf(field))
      return clear && addresses.some(({ domain }) => domain !== undefined && isAccepted(domain))
    })
}

/** Not decoded but as UTF-8 (RFC 6532). */
function valueOf({ line }: Field): string {
  const text = line.toString('utf8')
  return text.slice(text.indexOf(':') + 1)
}
