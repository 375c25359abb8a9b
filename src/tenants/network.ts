import { isIP } from 'node:net'
import { IPv4, IPv6, parse } from 'ipaddr.js'
import { InputError } from '../errors'

type Bits = 32 | 128

/** An address as a number of its family, so that a prefix of it is a shift. */
interface Numeric {
  readonly bits: Bits
  readonly value: bigint
}

interface Network extends Numeric {
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
  const start = networkStart(network)
  if (start !== network.value) {
    throw new InputError(
      `${JSON.stringify(text)} has bits set behind its length: write ${format({ ...network, value: start })}, or ${format({ ...network, length: network.bits })} for the one address`,
    )
  }
  return format(network)
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
      table = {
        length: network.length,
        shift: BigInt(network.bits - network.length),
        values: new Map(),
      }
      const tables = this.#tables[network.bits]
      tables.push(table)
      tables.sort((a, b) => b.length - a.length)
    }
    table.values.set(network.value >> table.shift, value)
  }

  delete(prefix: string): void {
    const network = toNetwork(prefix)
    const table = network && this.#tableOf(network)
    if (!network || !table) return
    table.values.delete(network.value >> table.shift)
    if (table.values.size === 0) {
      const tables = this.#tables[network.bits]
      tables.splice(tables.indexOf(table), 1)
    }
  }

  /** The value of this very prefix. */
  get(prefix: string): T | undefined {
    const network = toNetwork(prefix)
    const table = network && this.#tableOf(network)
    return table && table.values.get(network.value >> table.shift)
  }

  /** The value of the longest prefix that holds the address; `undefined` for what is no address. */
  find(ip: string): T | undefined {
    const address = toNumeric(ip)
    if (address === undefined) return undefined
    for (const { shift, values } of this.#tables[address.bits]) {
      const value = values.get(address.value >> shift)
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
  /** How many bits lie behind the prefix. */
  readonly shift: bigint
  readonly values: Map<bigint, T>
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
 * ipaddr.js alone takes `10.1`, `0x7f.1` and leading zeros for IPv4, and the IPv4-compatible
 * `::192.0.2.1` (RFC 4291 §2.5.5.1) for an IPv4-mapped address, which would make IPv4 of it.
 */
function toNumeric(text: string): Numeric | undefined {
  const family = isIP(text)
  if (family === 0) return undefined
  // Haraka's remote.ip keeps the zone of a link-local address (RFC 4007 §11): fe80::1%eth0.
  const [address = ''] = text.split('%')
  const parsed = parse(/^::\d+\./.test(address) ? `0${address}` : address)
  if (parsed instanceof IPv4) return { bits: 32, value: toNumber(parsed.octets, 8n) }
  if (parsed.isIPv4MappedAddress()) {
    return { bits: 32, value: toNumber(parsed.toIPv4Address().octets, 8n) }
  }
  return { bits: 128, value: toNumber(parsed.parts, 16n) }
}

function toNumber(parts: readonly number[], width: bigint): bigint {
  let value = 0n
  for (const part of parts) value = (value << width) | BigInt(part)
  return value
}

function networkStart({ bits, value, length }: Network): bigint {
  const behind = BigInt(bits - length)
  return (value >> behind) << behind
}

function format({ bits, value, length }: Network): string {
  const [count, width] = bits === 32 ? [4, 8] : [8, 16]
  const parts = Array.from({ length: count }, (_, i) =>
    Number(BigInt.asUintN(width, value >> BigInt((count - 1 - i) * width))),
  )
  const address = bits === 32 ? new IPv4(parts) : new IPv6(parts)
  return `${address.toString()}/${length}`
}
