import { createHmac, timingSafeEqual } from 'node:crypto'

/**
 * Characters of the hash. The published default of 4 can be guessed by asking a server: one try in a million is good.
 * Of 6 one in a billion is, for two octets of the 64 that a local part may have.
 */
export const HASH_LENGTH = 6

/**
 * The hash of an SRS address: HMAC-SHA1 of its parts in lower case, run together without separators, as base64 that is
 * cut off (Mail::SRS and libsrs2, `hash_create`). So parts that read alike when joined share a hash: who has one for
 * `m1` at `a.co` has it for `1` at `a.com`, too. That is as published, and good for bounces alone.
 *
 * @param parts ASCII.
 */
export function hashOf(secret: string, parts: readonly string[], length = HASH_LENGTH): string {
  const text = parts.join('').toLowerCase()
  return createHmac('sha1', secret).update(text).digest('base64').slice(0, length)
}

/**
 * Whether one of the secrets has made this hash. Servers in between may have changed its case, which the scheme allows
 * for; and some write base64 with `-` and `_` (RFC 4648 §5, postsrsd 2). How long it takes does not tell how near it was.
 */
export function isHashOf(
  hash: string,
  secrets: readonly string[],
  parts: readonly string[],
  length = HASH_LENGTH,
): boolean {
  if (hash.length !== length) return false
  const given = comparable(hash)
  let good = false
  for (const secret of secrets) {
    const own = comparable(hashOf(secret, parts, length))
    if (own.length === given.length && timingSafeEqual(own, given)) good = true
  }
  return good
}

function comparable(hash: string): Buffer {
  return Buffer.from(hash.replaceAll('-', '+').replaceAll('_', '/').toLowerCase())
}
