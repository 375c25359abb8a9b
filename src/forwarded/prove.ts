/** Authentic mail of `domain`, which was addressed to the tenant. */
export interface Proof {
  readonly kind: 'dkim' | 'arc'
  /** Who signed or sealed, as lower-case A-labels. */
  readonly domain: string
  /** A hash of every signature that proves it. */
  readonly signatures: readonly string[]
}

export interface NoProof {
  readonly kind: 'none'
  readonly reason: string
}
