import { NON_ASCII, unicodeToAscii } from './idna'

/** 255 octets on the wire (RFC 1035 §2.3.4) are 253 as text without the root's dot. */
export const MAX_NAME = 253

/**
 * A name in lower case, of LDH labels (RFC 5890 §2.3.1) of at most 63 octets; with underscores, which
 * sender domains in use do hold. A last label of digits, or hexadecimal after `0x`, makes an IPv4
 * address of the whole (WHATWG URL, "ends in a number checker"), and no top-level domain looks so
 * (RFC 3696 §2).
 */
const NAME =
  /^(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*(?!(?:\d+|0x[\da-f]*)$)[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/

/**
 * The one spelling by which domains are compared: lower-case A-labels without a trailing dot; or
 * `undefined` if `name` cannot be a DNS name. Never throws. What it returns, it returns unchanged.
 *
 * Labels that begin with `xn--` are taken as they are, whatever they decode to: an A-label that
 * nobody could have registered equals no accepted domain.
 */
export function toDomain(name: string): string | undefined {
  // Nearly every MAIL FROM ends here.
  if (name.length <= MAX_NAME && NAME.test(name)) return name
  const bare = name.endsWith('.') ? name.slice(0, -1) : name
  const ascii = NON_ASCII.test(bare) ? unicodeToAscii(bare) : bare.toLowerCase()
  return ascii !== undefined && ascii.length <= MAX_NAME && NAME.test(ascii) ? ascii : undefined
}

/** The names above a domain, the nearest first: `a.b.c` → `b.c`, `c`. */
export function parentsOf(domain: string): string[] {
  const parents: string[] = []
  for (let dot = domain.indexOf('.'); dot !== -1; dot = domain.indexOf('.', dot + 1)) {
    parents.push(domain.slice(dot + 1))
  }
  return parents
}

/** `a.b.c` → `c.b.a`, so that what lies below a name sorts right behind it. */
export function reverseLabels(domain: string): string {
  return domain.split('.').reverse().join('.')
}
