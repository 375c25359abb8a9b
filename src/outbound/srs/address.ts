import { MAX_NAME, toDomain } from '../../names/domain'

/** The two sides of an envelope address. */
export interface Sides {
  readonly user: string
  readonly domain: string
}

/** RFC 5321 §4.1.2, Dot-string, in US-ASCII: every server accepts it, and it needs no quotes. */
const DOT_STRING = /^[\w!#$%&'*+/=?^`{|}~-]+(?:\.[\w!#$%&'*+/=?^`{|}~-]+)*$/
/** RFC 5321 §4.5.3.1.1. */
const LONGEST_USER = 64
/** RFC 5321 §4.5.3.1.3, without the angle brackets. */
const LONGEST_PATH = 254

const SRS = /^srs[01][-+=]/i
const SRS0 = /^srs0(?<guarded>[-+=].+)$/i
const SRS0_PARTS = /^srs0[-+=](?<hash>[^=]*)=(?<stamp>[^=]*)=(?<host>[^=]*)=(?<user>.+)$/i
const SRS1_PARTS = /^srs1[-+=](?<hash>[^=]*)=(?<host>[^=]*)=(?<guarded>[-+=].+)$/i

/** A sender as rewritten by this server, or by one with the same secret. */
export interface Srs0 {
  readonly hash: string
  readonly stamp: string
  readonly host: string
  readonly user: string
}

/** The SRS address of another forwarder, rewritten again. */
export interface Srs1 {
  readonly hash: string
  /** The first forwarder, which created the SRS0 address. */
  readonly host: string
  /** What follows `SRS0` in the address of the first forwarder, with its separator. */
  readonly guarded: string
}

/** Whether a local part looks like an SRS address, valid or not. */
export function isSrs(user: string): boolean {
  return SRS.test(user)
}

/** What follows `SRS0` in a rewritten address. */
export function guardedPart(user: string): string | undefined {
  return SRS0.exec(user)?.groups?.['guarded']
}

export function parseSrs0(user: string): Srs0 | undefined {
  return SRS0_PARTS.exec(user)?.groups as unknown as Srs0 | undefined
}

export function parseSrs1(user: string): Srs1 | undefined {
  return SRS1_PARTS.exec(user)?.groups as unknown as Srs1 | undefined
}

/** Whether a local part needs no quotes, and no SMTPUTF8 (RFC 6531). */
export function isPlain(user: string): boolean {
  return DOT_STRING.test(user)
}

/** Whether servers must accept an address of this length. */
export function fits({ user, domain }: Sides): boolean {
  return user.length <= LONGEST_USER && user.length + 1 + domain.length <= LONGEST_PATH
}

/** Whether mail could be sent there: `domain` is a DNS name, and `user` plain and short enough. */
export function isSendable(sides: Sides): boolean {
  const { user, domain } = sides
  return domain.length <= MAX_NAME && toDomain(domain) !== undefined && isPlain(user) && fits(sides)
}
