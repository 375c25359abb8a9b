import type { Field } from 'mailauth/lib/tools'
import { MAX_FIELD, parseHeaderAddresses } from '../header-addresses'
import { registrableDomain } from '../../names/registrable'
import type { Reason } from './finding'
import { mailauth } from './mailauth'
import { Unreadable } from './message'
import type { Signature } from './signature'

/**
 * The domain of the one address in From; `undefined` if it holds several, or is not clear. With several fields, or none,
 * it is unknown which one is shown, whatever is signed (RFC 6376 §8.15).
 */
export function fromDomain(fields: readonly Field[]): string | undefined {
  const [field, ...others] = fields.filter(({ key }) => key === 'from')
  if (!field || others.length > 0) throw new Unreadable('no single from')
  const { addresses, clear } = parseHeaderAddresses(valueOf(field))
  return clear && addresses.length === 1 ? addresses[0]?.domain : undefined
}

/** A public suffix belongs to no organisation: neither `co.uk` nor, being private, `github.io`. */
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
 * Those of To and Cc that name an accepted domain. A field that can be read in several ways names nobody; neither does one
 * above, once {@link MAX_FIELD} octets have been read: real mail has one field of each name.
 */
export function fieldsNaming(
  fields: readonly Field[],
  isAccepted: (domain: string) => boolean,
): ReadonlySet<Field> {
  let length = 0
  return new Set(
    fields.toReversed().filter((field) => {
      if (field.key !== 'to' && field.key !== 'cc') return false
      length += field.line.length
      if (length > MAX_FIELD) return false
      const { addresses, clear } = parseHeaderAddresses(valueOf(field))
      return clear && addresses.some(({ domain }) => domain !== undefined && isAccepted(domain))
    }),
  )
}

/**
 * Whether a signature covers one of these fields: any others may have been added on the way (RFC 6376 §5.4.2).
 *
 * @param fields all of the header.
 */
export function covers(
  { names }: Signature,
  fields: readonly Field[],
  wanted: ReadonlySet<Field>,
): boolean {
  const { headers } = mailauth().getSigningHeaderLines(fields, names.join(':'), true)
  return headers.some((field) => wanted.has(field))
}

/** Not decoded but as UTF-8 (RFC 6532). */
function valueOf({ line }: Field): string {
  const text = line.toString('utf8')
  return text.slice(text.indexOf(':') + 1)
}
