/** What a domain authorises by SPF (RFC 7208), as far as it can be evaluated without a message. */
export interface SpfFacts {
  /** Names that its own record includes or redirects to. */
  readonly includes: readonly string[]
  /** CIDR prefixes that may send, those of its includes too. */
  readonly networks: readonly string[]
}

/** What DNS says about a domain. `undefined`: DNS gave no answer. */
export interface DnsFacts {
  /** Its MX hosts; empty: it has none. */
  readonly mx: readonly string[] | undefined
  /** Whether the name itself has an address. */
  readonly address: boolean | undefined
  /** `null`: it has no SPF record, or more than one. */
  readonly spf: SpfFacts | null | undefined
  /** Domains that its DMARC reports go to (RFC 7489 §6.3, `rua`). */
  readonly rua: readonly string[] | undefined
}
