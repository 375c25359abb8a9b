// IP addresses and prefixes of them.
import { isIP } from 'node:net'
import { IPv4, IPv6 } from 'ipaddr.js'
import { InputError } from './errors'

/**
 * An address as a number of its family, so that a prefix of it is a shift. IPv4 is a signed number of 32 bits: it needs
 * no memory of its own, where 100,000 BigInts would keep the garbage collector busy.
 */
export type IpAddress =
  { readonly bits: 32; readonly value: number } | { readonly bits: 128; readonly value: bigint }

/** Bits behind its length may be set. */
export type IpPrefix = IpAddress & { readonly length: number }

/**
 * The canonical text of a prefix: `192.0.2.0/24`, `2001:db8::/32` (RFC 5952). A bare address is the
 * prefix of that one address; IPv4-mapped IPv6 becomes IPv4.
 *
 * @throws {InputError} if it is no prefix, has bits set behind its length, or holds all addresses.
 */
export function parsePrefix(text: string): string {
  const prefix = text.includes('%') ? undefined : readPrefix(text)
  if (prefix === undefined) {
    throw new InputError(
      `${JSON.stringify(text)} is not an IP prefix: write 192.0.2.0/24, 2001:db8::/32 or a single address, and an IPv4-mapped one as IPv4`,
    )
  }
  if (prefix.length === 0) {
    throw new InputError(`${JSON.stringify(text)} holds every address: name the tenant's own ones`)
  }
  const { bits, value, length } = prefix
  const canonical = formatPrefix(prefix)
  if (BigInt.asUintN(bits - length, BigInt(value)) !== 0n) {
    throw new InputError(
      `${JSON.stringify(text)} has bits set behind its length: write ${canonical}, or ${formatPrefix({ ...prefix, length: bits })} for the one address`,
    )
  }
  return canonical
}

/**
 * What counts as one source of mail: an IPv4 address, or the /64 of an IPv6 one, since a single host has all of that (RFC
 * 4291 §2.5.4). IPv4-mapped IPv6 becomes IPv4; what is no address is given back.
 */
export function sourceOf(address: string): string {
  const read = readAddress(address)
  if (read === undefined) return address
  if (read.bits === 128) return formatPrefix({ ...read, length: 64 })
  return formatPrefix({ ...read, length: 32 }).slice(0, -'/32'.length)
}

/** Whether all addresses of a prefix are among those of another one. */
export function contains(outer: IpPrefix, inner: IpPrefix): boolean {
  if (outer.bits !== inner.bits || outer.length > inner.length) return false
  return firstBits(outer, outer.length) === firstBits(inner, outer.length)
}

/** Whether some prefixes together contain all addresses of one. */
export function isCovered(prefix: IpPrefix, by: readonly IpPrefix[]): boolean {
  if (by.some((each) => contains(each, prefix))) return true
  const inside = by.filter((each) => contains(prefix, each))
  return inside.length > 0 && halvesOf(prefix).every((half) => isCovered(half, inside))
}

function halvesOf(prefix: IpPrefix): IpPrefix[] {
  const length = prefix.length + 1
  const value = startOf(prefix)
  return [value, value | (1n << BigInt(prefix.bits - length))].map((start) =>
    prefix.bits === 32
      ? { bits: 32, value: Number(BigInt.asIntN(32, start)), length }
      : { bits: 128, value: start, length },
  )
}

/** The lowest address of it, unsigned. */
function startOf({ bits, value, length }: IpPrefix): bigint {
  const behind = BigInt(bits - length)
  return (BigInt.asUintN(bits, BigInt(value)) >> behind) << behind
}

/** The first bits of an address. */
export function firstBits({ bits, value }: IpAddress, length: number): number | bigint {
  if (bits === 128) return value >> BigInt(bits - length)
  // A shift by 32 would be one by none (ECMA-262, Number::signedRightShift).
  return length === 0 ? 0 : value >> (bits - length)
}

/**
 * Reads a prefix or an address; `undefined`: it is neither. A prefix of IPv4-mapped addresses,
 * `::ffff:0:0/96` and longer (RFC 4291 §2.5.5.2), is the IPv4 one.
 */
export function readPrefix(prefix: string): IpPrefix | undefined {
  const [address = '', length, ...rest] = prefix.split('/')
  const read = readAddress(address)
  if (read === undefined || rest.length > 0) return undefined
  if (length === undefined) return { ...read, length: read.bits }
  const writtenBits = isIP(address) === 4 ? 32 : 128
  if (!/^(?:0|[1-9]\d{0,2})$/.test(length) || Number(length) > writtenBits) return undefined
  const bits = Number(length) - (writtenBits - read.bits)
  return bits < 0 ? undefined : { ...read, length: bits }
}

/**
 * ipaddr.js alone takes `10.1`, `0x7f.1` and leading zeros for IPv4, which isIP() does not, and the IPv4-compatible
 * `::192.0.2.1` (RFC 4291 §2.5.5.1) for an IPv4-mapped address, which would make IPv4 of it.
 */
export function readAddress(text: string): IpAddress | undefined {
  const family = isIP(text)
  if (family === 0) return undefined
  if (family === 4) return ofOctets(text.split('.').map(Number))
  // Haraka's remote.ip keeps the zone of a link-local address (RFC 4007 §11): fe80::1%eth0.
  const [address = ''] = text.split('%')
  const parsed = IPv6.parse(/^::\d+\./.test(address) ? `0${address}` : address)
  if (parsed.isIPv4MappedAddress()) return ofOctets(parsed.toIPv4Address().octets)
  let value = 0n
  for (const part of parsed.parts) value = (value << 16n) | BigInt(part)
  return { bits: 128, value }
}

function ofOctets(octets: readonly number[]): IpAddress {
  let value = 0
  for (const octet of octets) value = (value << 8) | octet
  return { bits: 32, value }
}

/** Its canonical text, without the bits behind its length. */
export function formatPrefix(prefix: IpPrefix): string {
  const { bits, length } = prefix
  const start = startOf(prefix)
  const [count, width] = bits === 32 ? [4, 8] : [8, 16]
  const parts = Array.from({ length: count }, (_, i) =>
    Number(BigInt.asUintN(width, start >> BigInt((count - 1 - i) * width))),
  )
  const address = bits === 32 ? new IPv4(parts) : new IPv6(parts)
  return `${address.toString()}/${length}`
}
