import { toDomain } from '../../names/domain'
import { isSendable, parseSrs0, parseSrs1, type Sides } from './address'
import { HASH_LENGTH, isHashOf } from './hash'
import type { SrsKeys } from './rewrite'
import { isCurrent } from './stamp'

/** The original sender of an SRS address; or why it is refused: this server did not create it, or too long ago. */
export type Unwrapped = { readonly to: Sides } | { readonly refused: 'unknown' | 'expired' }

const UNKNOWN: Unwrapped = { refused: 'unknown' }

/**
 * Undoes `rewriteSender`. The hash is checked before the age, so that answers do not reveal which stamps are valid. An SRS1
 * address has no age: the first forwarder, to which it leads, checks that.
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
    return originalAt(`SRS0${guarded}`, host, own)
  }
  const first = parseSrs0(user)
  if (!first) return UNKNOWN
  const { hash, stamp, host, user: sender } = first
  if (!isHashOf(hash, secrets, [stamp, host, sender], length)) return UNKNOWN
  return isCurrent(stamp, time) ? originalAt(sender, host, own) : { refused: 'expired' }
}

/** No address that this server created leads back to it or needs quotes: such an address has a stolen or guessed hash. */
function originalAt(user: string, host: string, own: string): Unwrapped {
  const domain = toDomain(host)
  if (domain === undefined || domain === own) return UNKNOWN
  const to = { user, domain }
  return isSendable(to) ? { to } : UNKNOWN
}
