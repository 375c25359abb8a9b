import { fits, guardedPart, isPlain, parseSrs1, type Sides } from './address'
import { toDomain } from '../../names/domain'
import { HASH_LENGTH, hashOf } from './hash'
import { stampOf } from './stamp'

/** `[srs]` of the configuration. */
export interface SrsKeys {
  /** The domain of rewritten senders, as lower-case A-labels. */
  readonly domain: string
  /** The first one signs; all are valid. */
  readonly secrets: readonly string[]
}

/**
 * The rewritten sender; or why it stays: it is in the SRS domain already, its local part needs quotes or is not US-ASCII, or
 * the result would be longer than servers must accept.
 */
export type Rewritten =
  { readonly to: Sides } | { readonly stays: 'own' | 'not-plain' | 'too-long' }

/**
 * The Sender Rewriting Scheme (M. Weaver and Shevek, "The Sender Rewriting Scheme", 2004; as Mail::SRS 0.31, Guarded):
 *
 * - `user@host` becomes `SRS0=HASH=STAMP=host=user`;
 * - the SRS0 address of another forwarder becomes `SRS1=HASH=forwarder=` and what followed its `SRS0`; the SRS1 address of
 *   another forwarder keeps the first forwarder. So a bounce goes directly to the first of many forwarders, and addresses
 *   do not grow.
 *
 * @param time now, in ms.
 * @param length of the hash; other than the default for the published vectors only.
 */
export function rewriteSender(
  { user, domain }: Sides,
  { domain: own, secrets: [secret = ''] }: SrsKeys,
  time: number,
  length = HASH_LENGTH,
): Rewritten {
  if (domain.toLowerCase() === own) return { stays: 'own' }
  if (!isPlain(user)) return { stays: 'not-plain' }
  const to = { user: rewritten(), domain: own }
  return fits(to) ? { to } : { stays: 'too-long' }

  function rewritten(): string {
    const guarded = guardedPart(user)
    if (guarded !== undefined) return srs1(domain, guarded)
    const before = parseSrs1(user)
    // It only looks like SRS1.
    if (before === undefined || toDomain(before.host) === undefined) return srs0()
    // This server was the first forwarder: its own SRS0 address returns, without a mail to itself.
    if (before.host.toLowerCase() === own) return `SRS0${before.guarded}`
    return srs1(before.host, before.guarded)
  }

  function srs0(): string {
    const stamp = stampOf(time)
    return `SRS0=${hashOf(secret, [stamp, domain, user], length)}=${stamp}=${domain}=${user}`
  }

  function srs1(host: string, guarded: string): string {
    return `SRS1=${hashOf(secret, [host, guarded], length)}=${host}=${guarded}`
  }
}
