import { firstBits, readAddress, readPrefix, type IpPrefix } from './ip-prefix'

/**
 * Values by IP prefix; the longest prefix that holds an address wins. Each prefix has one value.
 * A look-up costs one `Map` access for each prefix length in use, however many prefixes there are.
 */
export class PrefixIndex<T> {
  readonly #tables = { 32: [] as Table<T>[], 128: [] as Table<T>[] }

  /** Puts a value, in place of the one that the prefix had. What is no prefix is left out. */
  add(prefix: string, value: T): void {
    const read = readPrefix(prefix)
    if (read === undefined) return
    let table = this.#tableOf(read)
    if (table === undefined) {
      table = { length: read.length, values: new Map() }
      const tables = this.#tables[read.bits]
      tables.push(table)
      tables.sort((a, b) => b.length - a.length)
    }
    table.values.set(firstBits(read, read.length), value)
  }

  delete(prefix: string): void {
    const read = readPrefix(prefix)
    const table = read && this.#tableOf(read)
    if (!read || !table) return
    table.values.delete(firstBits(read, read.length))
    if (table.values.size === 0) {
      const tables = this.#tables[read.bits]
      tables.splice(tables.indexOf(table), 1)
    }
  }

  /** The value of this very prefix. */
  get(prefix: string): T | undefined {
    const read = readPrefix(prefix)
    const table = read && this.#tableOf(read)
    return table && table.values.get(firstBits(read, read.length))
  }

  /** The value of the longest prefix that holds the address; `undefined` for what is no address. */
  find(ip: string): T | undefined {
    const address = readAddress(ip)
    if (address === undefined) return undefined
    for (const { length, values } of this.#tables[address.bits]) {
      const value = values.get(firstBits(address, length))
      if (value !== undefined) return value
    }
    return undefined
  }

  #tableOf({ bits, length }: IpPrefix): Table<T> | undefined {
    return this.#tables[bits].find((table) => table.length === length)
  }
}

/** All prefixes of one length. */
interface Table<T> {
  readonly length: number
  readonly values: Map<number | bigint, T>
}
