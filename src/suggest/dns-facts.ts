/** What a domain authorises by SPF (RFC 7208), as far as that can be told without a message. */
export interface SpfFacts {
  /** Names that its own record includes or redirects to. */
  readonly includes: readonly string[]
  /** Networks that may send, its includes' too: CIDR prefixes. */
  readonly networks: readonly string[]
}

/** What DNS says of a domain. `undefined`: it gave no answer, so nothing follows. */
export interface DnsFacts {
  /** Hosts that take its mail; empty: none. */
  readonly mx: readonly string[] | undefined
  /** Whether the name itself has an address. */
  readonly address: boolean | undefined
  /** `null`: it has no SPF record, or more than one. */
  readonly spf: SpfFacts | null | undefined
  /** Domains that its DMARC reports go to (RFC 7489 §6.3, `rua`). */
  readonly rua: readonly string[] | undefined
}
