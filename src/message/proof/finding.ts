/**
 * Why something proves nothing: stable words for logs, results and `explain`. Those of signatures and seals in the order
 * of how far they came, so that the last that applies tells most about a message.
 */
const REASONS = [
  'unsigned',
  /** The last seal of the chain is not of one of `arc_sealers`. */
  'sealer not trusted',
  /** A signature or a chain that breaks the rules of RFC 6376 or RFC 8617, or is too long to be looked at. */
  'malformed',
  'too many seals',
  /** `l=`: anyone may append to such a message. */
  'body length limited',
  /** SHA-1 (RFC 8301 §3.1), or an unknown algorithm. */
  'weak algorithm',
  'expired',
  /** Not of the organisation of the envelope sender or of From. */
  'not aligned',
  /** No To or Cc that it covers names an accepted domain. */
  'not addressed to the tenant',
  /** The sealer found no pass of DKIM or DMARC for the domain of From. */
  'no pass sealed',
  'no key',
  /** Revoked, of another kind, too short or too long. */
  'unsuitable key',
  'key in test mode',
  'dns failure',
  'body changed',
  'signature wrong',
  'chain broken',
] as const

/** Why a message as a whole is not looked at. */
export type Refusal =
  | 'too large'
  | 'header unreadable'
  | 'line too long'
  | 'no single from'
  | 'too many signatures'
  | 'out of time'
  /** The process is busy with others. */
  | 'no turn'
  /** It is not installed, or not in a version that is supported. */
  | 'no mailauth'
  | 'failed'

export type Reason = (typeof REASONS)[number]

/** What became of one signature, or of the chain of seals. */
export interface Finding {
  readonly kind: 'dkim' | 'arc'
  /** `d=` of the signature or of the last seal; `undefined` where it cannot be read. */
  readonly domain: string | undefined
  readonly selector: string | undefined
  /** Why it proves nothing; `undefined`: it does. */
  readonly reason: Reason | undefined
  /** SHA-256 of the signature, as in the proof; `undefined` where it cannot be read. */
  readonly signature: string | undefined
}

/** The reason of a message none of whose signatures proves anything. */
export function tellingReason(findings: readonly Finding[]): Reason {
  const furthest = findings.map(({ reason }) => REASONS.indexOf(reason ?? 'unsigned'))
  return REASONS[Math.max(0, ...furthest)] ?? 'unsigned'
}
