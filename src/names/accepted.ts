import { InputError } from '../base/errors'
import { isOutsidePublicDns, publicSuffixKind } from './registrable'
import { typedDomain } from './typed-domain'

export interface AcceptedDomainOptions {
  /** Every name below counts too. */
  readonly subdomains: boolean
  /** Registered without being owned. */
  readonly shared: boolean
}

/**
 * The name of an accepted domain as an operator gave it, as lower-case A-labels without a trailing dot.
 *
 * Refused are, with the reason: what is no DNS name; a public suffix, below which anybody registers
 * (a private one such as `github.io` only with `subdomains`, since its company may send from it); and
 * without `shared` a name outside the public DNS, which every organisation may use and none owns.
 *
 * @throws {InputError}
 */
export function acceptedDomainName(input: string, options: AcceptedDomainOptions): string {
  const below = /^\*?\.(?<name>.+)$/.exec(input)?.groups?.['name']
  if (below !== undefined) {
    throw new InputError(
      `${JSON.stringify(input)} is a wildcard: give ${below} with --subdomains, for it and all names below`,
    )
  }
  const domain = typedDomain(input)
  if (isOutsidePublicDns(domain)) {
    if (options.shared) return domain
    throw new InputError(
      `${domain} is outside the public DNS, so nobody can own it: give it with --shared`,
    )
  }
  const suffix = publicSuffixKind(domain)
  if (suffix === 'icann') {
    throw new InputError(
      `${domain} is a public suffix, below which anybody can register: give the name that the tenant registered, as in contoso.${domain}`,
    )
  }
  if (suffix === 'private' && options.subdomains) {
    throw new InputError(
      `${domain} is a public suffix of a company whose customers have names below it: give it without --subdomains, or the tenant's own name, as in contoso.${domain}`,
    )
  }
  return domain
}
