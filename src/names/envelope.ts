import { domainToASCII } from 'node:url'
import type * as Rfc2821 from 'address-rfc2821'
import { InputError } from '../base/errors'
import { onDemand } from '../base/on-demand'
import { toDomain } from './domain'
import { NON_ASCII } from './idna'

/** Haraka parses the addresses of its sessions itself. */
// eslint-disable-next-line @typescript-eslint/no-require-imports
const rfc2821 = onDemand(() => require('address-rfc2821') as typeof Rfc2821)

/** A string in every Haraka version but 3.2, where it is a proxy of a function that acts as one. */
type StringLike = string | (() => string) | null | undefined

/**
 * What we read of Haraka's envelope addresses. Up to Haraka 3.1 they are address-rfc2821's, where
 * `address` is a method; in 3.2 proxies whose `address` and `host` are functions that act as strings
 * (asLegacy of @haraka/email-address); from 3.3 @haraka/email-address's, where both are strings. So
 * neither `===` nor `instanceof` nor `typeof host` tells anything: read through `String()` only.
 */
export interface HarakaAddress {
  readonly address: StringLike
  /** As A-labels, in lower case; empty for the null sender and for `<postmaster>`. */
  readonly host?: StringLike
  /** As the client wrote it. */
  readonly original_host?: StringLike
  isNull(): boolean
}

export type EnvelopeDomain =
  /** The null sender, `<>` (RFC 5321 §4.5.5). */
  | { readonly kind: 'null' }
  /** As lower-case A-labels without a trailing dot. */
  | { readonly kind: 'domain'; readonly domain: string }
  /** `<postmaster>`, an address literal, or what cannot be a DNS name: `raw`, as the client wrote it. */
  | { readonly kind: 'none'; readonly raw: string }

const NULL: EnvelopeDomain = Object.freeze({ kind: 'null' })

/**
 * The domain of an envelope address. Never throws.
 *
 * Haraka sends `original_host` on to servers that offer SMTPUTF8, and `host` to the others (`format()`
 * in its outbound/hmail.js). Its library maps look-alikes on the way from one to the other (`contoso。com`
 * to `contoso.com`), or encodes what no registry takes (3.1: `MÜNCHEN.example`). So an address has a
 * domain only if both are the same one.
 */
export function envelopeDomain(address: HarakaAddress): EnvelopeDomain {
  if (address.isNull()) return NULL
  const host = text(address.host)
  const raw = text(address.original_host) || host
  const domain = toDomain(raw)
  if (domain === undefined || (raw !== host && toDomain(host) !== domain)) {
    return { kind: 'none', raw }
  }
  return { kind: 'domain', domain }
}

/** `user@host` as the client wrote it; empty for the null sender. Never throws. */
export function addressText(address: HarakaAddress): string {
  return text(typeof address.address === 'function' ? address.address() : address.address)
}

/**
 * An envelope address from text, with or without angle brackets; `''` and `<>` are the null sender.
 *
 * @throws {InputError} if it is no envelope address by RFC 5321 and RFC 6531.
 */
export function parseEnvelope(input: string): HarakaAddress {
  const { Address } = rfc2821()
  let address: Rfc2821.Address
  try {
    address = new Address(input)
    const written = address.original_host ?? ''
    // address-rfc2821 only encodes; Haraka's library since 3.2 applies UTS #46.
    if (NON_ASCII.test(written)) address.host = domainToASCII(written)
  } catch {
    throw notAnAddress(input)
  }
  if (address.original_host && !address.host) throw notAnAddress(input)
  return address
}

function notAnAddress(input: string): InputError {
  return new InputError(
    `${JSON.stringify(input)} is not an envelope address: write user@contoso.com, or '' for the null sender`,
  )
}

function text(value: StringLike): string {
  return String(value ?? '')
}
