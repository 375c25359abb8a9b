import { fits, guardedPart, isPlain, parseSrs1, type Sides } from './address'
import { toDomain } from '../../names/domain'
import { HASH_LENGTH, hashOf } from './hash'
import { stampOf } from './stamp'

/** `[srs]` of the configuration. */
export interface SrsKeys {
  /** Where rewritten senders are; as lower-case A-labels. */
  readonly domain: string
  /** The first signs; all are good. */
  readonly secrets: readonly string[]
}

/**
 * What becomes of a sender: another address; or it stays, since it is in the SRS domain already, or since its local part
 * would have to be quoted (or is not US-ASCII), or since what is made of it would be longer than servers must take.
 */
export type Rewritten =
  { readonly to: Sides } | { readonly stays: 'own' | 'not-plain' | 'too-long' }

/**
 * The Sender Rewriting Scheme (M. Weaver and Shevek, "The Sender Rewriting Scheme", 2004; as Mail::SRS 0.31, Guarded):
 *
 * - `user@host` becomes `SRS0=HASH=STAMP=host=user`;
 * - the SRS0 address of another forwarder becomes `SRS1=HASH=forwarder=` and what was behind its `SRS0`, and the SRS1
 *   address of another one keeps its first forwarder: a bounce goes back to the first one directly, however many there
 *   were, and addresses do not grow.
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
    // What only looks like SRS1 is a sender as any other.
    if (before === undefined || toDomain(before.host) === undefined) return srs0()
    // It was ours at first: the way back is our own address, and not a mail to ourselves.
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
