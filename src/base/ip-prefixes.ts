import { isIP } from 'node:net'
import { IPv4, IPv6 } from 'ipaddr.js'
import { InputError } from './errors'

/**
 * An address as a number of its family, so that a prefix of it is a shift. IPv4 is a signed number of 32 bits: it needs
 * no memory of its own, where 100,000 BigInts would keep the garbage collector busy.
 */
type Numeric =
  { readonly bits: 32; readonly value: number } | { readonly bits: 128; readonly value: bigint }

type Network = Numeric & {
  readonly length: number
}

/**
 * A prefix in its canonical text: `192.0.2.0/24`, `2001:db8::/32` (RFC 5952). A bare address is the
 * prefix of that one address; IPv4-mapped IPv6 becomes IPv4.
 *
 * @throws {InputError} if it is no prefix, has bits set behind its length, or holds all addresses.
 */
export function parsePrefix(text: string): string {
  const network = text.includes('%') ? undefined : toNetwork(text)
  if (network === undefined) {
    throw new InputError(
      `${JSON.stringify(text)} is not an IP prefix: write 192.0.2.0/24, 2001:db8::/32 or a single address, and an IPv4-mapped one as IPv4`,
    )
  }
  if (network.length === 0) {
    throw new InputError(`${JSON.stringify(text)} holds every address: name the tenant's own ones`)
  }
  const { bits, length } = network
  const value = unsigned(network)
  const behind = BigInt(bits - length)
  const start = (value >> behind) << behind
  if (start !== value) {
    throw new InputError(
      `${JSON.stringify(text)} has bits set behind its length: write ${format(bits, start, length)}, or ${format(bits, value, bits)} for the one address`,
    )
  }
  return format(bits, value, length)
}

/**
 * What counts as one source of mail: an IPv4 address, or the /64 of an IPv6 one, since a single host has all of that (RFC
 * 4291 §2.5.4). IPv4-mapped IPv6 becomes IPv4; what is no address is given back.
 */
export function sourceOf(address: string): string {
  const numeric = toNumeric(address)
  if (numeric === undefined) return address
  if (numeric.bits === 32) return format(32, unsigned(numeric), 32).slice(0, -'/32'.length)
  return format(128, (numeric.value >> 64n) << 64n, 64)
}

/**
 * Values by IP prefix; the longest prefix that holds an address wins. Each prefix has one value.
 * A look-up costs one `Map` access for each prefix length in use, however many prefixes there are.
 */
export class PrefixIndex<T> {
  readonly #tables = { 32: [] as Table<T>[], 128: [] as Table<T>[] }

  /** Puts a value, in place of the one that the prefix had. What is no prefix is left out. */
  add(prefix: string, value: T): void {
    const network = toNetwork(prefix)
    if (network === undefined) return
    let table = this.#tableOf(network)
    if (table === undefined) {
      table = { length: network.length, values: new Map() }
      const tables = this.#tables[network.bits]
      tables.push(table)
      tables.sort((a, b) => b.length - a.length)
    }
    table.values.set(prefixOf(network, network.length), value)
  }

  delete(prefix: string): void {
    const network = toNetwork(prefix)
    const table = network && this.#tableOf(network)
    if (!network || !table) return
    table.values.delete(prefixOf(network, network.length))
    if (table.values.size === 0) {
      const tables = this.#tables[network.bits]
      tables.splice(tables.indexOf(table), 1)
    }
  }

  /** The value of this very prefix. */
  get(prefix: string): T | undefined {
    const network = toNetwork(prefix)
    const table = network && this.#tableOf(network)
    return table && table.values.get(prefixOf(network, network.length))
  }

  /** The value of the longest prefix that holds the address; `undefined` for what is no address. */
  find(ip: string): T | undefined {
    const address = toNumeric(ip)
    if (address === undefined) return undefined
    for (const { length, values } of this.#tables[address.bits]) {
      const value = values.get(prefixOf(address, length))
      if (value !== undefined) return value
    }
    return undefined
  }

  #tableOf({ bits, length }: Network): Table<T> | undefined {
    return this.#tables[bits].find((table) => table.length === length)
  }
}

/** All prefixes of one length. */
interface Table<T> {
  readonly length: number
  readonly values: Map<number | bigint, T>
}

/** The first bits of an address. */
function prefixOf({ bits, value }: Numeric, length: number): number | bigint {
  if (bits === 128) return value >> BigInt(bits - length)
  // A shift by 32 would be one by none (ECMA-262, Number::signedRightShift).
  return length === 0 ? 0 : value >> (bits - length)
}

/**
 * Reads a prefix or an address; host bits stay in `value`. A prefix of IPv4-mapped addresses,
 * `::ffff:0:0/96` and longer (RFC 4291 §2.5.5.2), is the IPv4 one.
 */
function toNetwork(prefix: string): Network | undefined {
  const [address = '', length, ...rest] = prefix.split('/')
  const numeric = toNumeric(address)
  if (numeric === undefined || rest.length > 0) return undefined
  if (length === undefined) return { ...numeric, length: numeric.bits }
  const writtenBits = isIP(address) === 4 ? 32 : 128
  if (!/^(?:0|[1-9]\d{0,2})$/.test(length) || Number(length) > writtenBits) return undefined
  const bits = Number(length) - (writtenBits - numeric.bits)
  return bits < 0 ? undefined : { ...numeric, length: bits }
}

/**
 * ipaddr.js alone takes `10.1`, `0x7f.1` and leading zeros for IPv4, which isIP() does not, and the IPv4-compatible
 * `::192.0.2.1` (RFC 4291 §2.5.5.1) for an IPv4-mapped address, which would make IPv4 of it.
 */
function toNumeric(text: string): Numeric | undefined {
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

function ofOctets(octets: readonly number[]): Numeric {
  let value = 0
  for (const octet of octets) value = (value << 8) | octet
  return { bits: 32, value }
}

function unsigned({ bits, value }: Numeric): bigint {
  return bits === 32 ? BigInt.asUintN(32, BigInt(value)) : value
}

function format(bits: 32 | 128, value: bigint, length: number): string {
  const [count, width] = bits === 32 ? [4, 8] : [8, 16]
  const parts = Array.from({ length: count }, (_, i) =>
    Number(BigInt.asUintN(width, value >> BigInt((count - 1 - i) * width))),
  )
  const address = bits === 32 ? new IPv4(parts) : new IPv6(parts)
  return `${address.toString()}/${length}`
}
