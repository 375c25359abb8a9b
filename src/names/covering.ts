/** How an accepted domain counts. */
interface Flags {
  /** Every name below it, too. */
  readonly subdomains: boolean
  /** It is registered without being owned. */
  readonly shared?: boolean
}

/**
 * The accepted domain that covers a name: the name itself, or the nearest one above it that has `subdomains`. Builds no
 * list of parents: it is asked for each recipient.
 *
 * @param domain lower-case A-labels.
 * @param ownOnly passes over shared ones.
 */
export function coveringDomain(
  accepted: ReadonlyMap<string, Flags>,
  domain: string,
  ownOnly = false,
): string | undefined {
  const flags = accepted.get(domain)
  if (flags && !(ownOnly && flags.shared)) return domain
  for (let dot = domain.indexOf('.'); dot !== -1; dot = domain.indexOf('.', dot + 1)) {
    const parent = domain.slice(dot + 1)
    const above = accepted.get(parent)
    if (above?.subdomains && !(ownOnly && above.shared)) return parent
  }
  return undefined
}
