import { IPv4, IPv6, parse } from 'ipaddr.js'

/** A range of addresses of one family, for the question whether others cover it together. */
export class Range {
  private constructor(
    private readonly bits: 32 | 128,
    /** The address without its host bits. */
    private readonly start: bigint,
    private readonly length: number,
  ) {}

  /** @param prefix a valid one; host bits are dropped. */
  static parse(prefix: string): Range {
    const [address = '', length = ''] = prefix.split('/')
    const bytes = parse(address).toByteArray()
    const bits = bytes.length === 4 ? 32 : 128
    const value = bytes.reduce((number, byte) => (number << 8n) | BigInt(byte), 0n)
    return Range.of(bits, value, Number(length))
  }

  private static of(bits: 32 | 128, value: bigint, length: number): Range {
    const host = BigInt(bits - length)
    return new Range(bits, (value >> host) << host, length)
  }

  /** Whether every address of it is in one of the others. */
  isCoveredBy(others: readonly Range[]): boolean {
    if (others.some((other) => other.contains(this))) return true
    const inside = others.filter((other) => this.contains(other))
    return inside.length > 0 && this.halves().every((half) => half.isCoveredBy(inside))
  }

  contains(other: Range): boolean {
    if (other.bits !== this.bits || other.length < this.length) return false
    return Range.of(this.bits, other.start, this.length).start === this.start
  }

  toString(): string {
    const bytes = Array.from({ length: this.bits / 8 }, (_, at) =>
      Number((this.start >> BigInt(this.bits - 8 * (at + 1))) & 0xffn),
    )
    const address = this.bits === 32 ? new IPv4(bytes) : new IPv6(bytes)
    return `${address.toString()}/${this.length}`
  }

  private halves(): Range[] {
    const length = this.length + 1
    const upper = this.start | (1n << BigInt(this.bits - length))
    return [Range.of(this.bits, this.start, length), Range.of(this.bits, upper, length)]
  }
}
