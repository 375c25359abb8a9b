import { createHmac, timingSafeEqual } from 'node:crypto'

/**
 * Characters of the hash. The published default of 4 can be guessed by asking a server: one guess in a million succeeds.
 * With 6 characters one in a billion does, for two of the 64 octets that a local part may have.
 */
export const HASH_LENGTH = 6

/**
 * The hash of an SRS address: HMAC-SHA1 of its parts in lower case, joined without separators, as truncated base64
 * (Mail::SRS and libsrs2, `hash_create`). So parts that are equal when joined share a hash: the hash for `m1` at `a.co` is
 * also valid for `1` at `a.com`. The published scheme does the same; it only gives access to bounces.
 *
 * @param parts ASCII.
 */
export function hashOf(secret: string, parts: readonly string[], length = HASH_LENGTH): string {
  const text = parts.join('').toLowerCase()
  return createHmac('sha1', secret).update(text).digest('base64').slice(0, length)
}

/**
 * Whether one of the secrets created this hash. Its case may have changed on the way, which the scheme allows, and some
 * servers write base64 with `-` and `_` (RFC 4648 §5, postsrsd 2). The comparison takes constant time.
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
