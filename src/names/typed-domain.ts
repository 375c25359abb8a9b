import { isIP } from 'node:net'
import { domainToASCII, domainToUnicode } from 'node:url'
import { InputError } from '../base/errors'
import { MAX_NAME, toDomain } from './domain'
import { NON_ASCII, isALabel } from './idna'

const MAX_LABEL = 63

/**
 * The domain that an operator typed, as lower-case A-labels without a trailing dot. Stricter than
 * {@link toDomain}: an `xn--` label must be valid, since a wrong one could never match any mail.
 *
 * @throws {InputError} with the reason, if it is no DNS name.
 */
export function typedDomain(input: string): string {
  const domain = toDomain(input)
  if (domain === undefined) {
    throw new InputError(`${JSON.stringify(input)} is not a domain name: ${reason(input)}`)
  }
  const bogus = domain.split('.').find((label) => label.startsWith('xn--') && !isALabel(label))
  if (bogus !== undefined) {
    throw new InputError(
      `${JSON.stringify(input)} is not a domain name: ${bogus} encodes no valid label; write the name in Unicode`,
    )
  }
  return domain
}

/** Why {@link toDomain} says no, and what to do: the first that applies. */
function reason(input: string): string {
  if (input === '') return 'it is empty'
  if (input.includes('@')) return 'give only what is behind the @'
  if (isAddress(input)) return 'it is an IP address, and mail from one has no domain'
  if (input.includes('*')) return 'it holds a wildcard'
  if (input.includes('://')) return 'give only the host name of the URL'
  if (/\s/.test(input)) return 'it holds white space'

  const meant = lookAlikeOf(input)
  if (meant !== undefined) return `it only looks like ${meant}; write that, if it is meant`

  const ascii = (domainToASCII(input) || input).replace(/\.$/, '')
  if (ascii.length > MAX_NAME) {
    return `it is ${ascii.length} octets long, and ${MAX_NAME} are the limit (RFC 1035)`
  }
  const labels = ascii.split('.')
  if (labels.includes('')) return 'it holds an empty label: a dot too many'
  const long = labels.find((label) => label.length > MAX_LABEL)
  if (long !== undefined) {
    return `the label ${long} is ${long.length} octets long, and ${MAX_LABEL} are the limit (RFC 1035)`
  }
  return 'labels are made of letters, digits and inner hyphens, and the last one is no number'
}

/** `192.0.2.1`, `2001:db8::1`, both in brackets as in an envelope (RFC 5321 §4.1.3), and prefixes. */
function isAddress(input: string): boolean {
  return /^\[.*\]$/.test(input) || isIP(input.replace(/\/\d+$/, '')) !== 0
}

/** The name on to which IDNA would map one that is not written so. */
function lookAlikeOf(input: string): string | undefined {
  if (!NON_ASCII.test(input)) return undefined
  const mapped = domainToUnicode(domainToASCII(input))
  return toDomain(mapped) === undefined ? undefined : mapped
}
