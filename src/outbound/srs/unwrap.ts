import { toDomain } from '../../names/domain'
import { isSendable, parseSrs0, parseSrs1, type Sides } from './address'
import { HASH_LENGTH, isHashOf } from './hash'
import type { SrsKeys } from './rewrite'
import { isCurrent } from './stamp'

/** Where a bounce to an SRS address goes on to, or why it goes nowhere: nobody here has made it, or too long ago. */
export type Unwrapped = { readonly to: Sides } | { readonly refused: 'unknown' | 'expired' }

const UNKNOWN: Unwrapped = { refused: 'unknown' }

/**
 * Undoes `rewriteSender`. The hash is looked at before the age, so that nobody learns which stamps are good. An SRS1
 * address has no age of its own: the first forwarder, where it leads to, looks at that.
 *
 * @param user the local part, without quotes.
 * @param time now, in ms.
 * @param length of the hash; other than the default for the published vectors only.
 */
export function unwrap(
  user: string,
  { domain: own, secrets }: SrsKeys,
  time: number,
  length = HASH_LENGTH,
): Unwrapped {
  const second = parseSrs1(user)
  if (second) {
    const { hash, host, guarded } = second
    if (!isHashOf(hash, secrets, [host, guarded], length)) return UNKNOWN
    return onwards(`SRS0${guarded}`, host, own)
  }
  const first = parseSrs0(user)
  if (!first) return UNKNOWN
  const { hash, stamp, host, user: sender } = first
  if (!isHashOf(hash, secrets, [stamp, host, sender], length)) return UNKNOWN
  return isCurrent(stamp, time) ? onwards(sender, host, own) : { refused: 'expired' }
}

/** Nothing that we made leads back to us, or needs quotes; whoever came by a hash otherwise gets no further. */
function onwards(user: string, host: string, own: string): Unwrapped {
  const domain = toDomain(host)
  if (domain === undefined || domain === own) return UNKNOWN
  const to = { user, domain }
  return isSendable(to) ? { to } : UNKNOWN
}
