import { isIP } from 'node:net'
import { InputError } from '../base/errors'
import { typedDomain } from '../names/typed-domain'

/** A server that connections are made to. */
export interface Endpoint {
  readonly host: string
  readonly port: number
}

// What a key of the ini file may hold, as haraka-config gives it: strings, numbers (digits become one) and arrays. Each
// throws {@link InputError} with what is wrong about the value.

export function text(value: unknown): string {
  if (typeof value === 'string' || typeof value === 'number') return String(value).trim()
  throw new InputError('is not a single value')
}

export function optional(value: unknown): string | undefined {
  return text(value) || undefined
}

export function nonEmpty(value: unknown): string {
  const result = text(value)
  if (result === '') throw new InputError('is empty')
  return result
}

/** It is said in messages, and a URL there could hold a password. */
export function hostName(value: unknown): string {
  const name = nonEmpty(value)
  if (/[@/]/.test(name)) throw new InputError('is no host name or address: give that alone')
  if (isIP(name) !== 0 || /^[\w.-]+$/.test(name)) return name
  throw new InputError(`"${name}" is no host name or address: give that alone, without a port`)
}

export function boolean(value: unknown): boolean {
  return oneOf(['true', 'false'] as const)(value) === 'true'
}

export function oneOf<T extends string>(choices: readonly T[]): (value: unknown) => T {
  return (value) => {
    const choice = choices.find((each) => each === text(value))
    if (choice === undefined)
      throw new InputError(`"${text(value)}" is not one of ${choices.join(', ')}`)
    return choice
  }
}

export function integer(least: number, most: number): (value: unknown) => number {
  return (value) => {
    const number = Number(text(value) || NaN)
    if (!Number.isInteger(number) || number < least || number > most) {
      throw new InputError(`"${text(value)}" is not a whole number from ${least} to ${most}`)
    }
    return number
  }
}

export function percents(value: unknown): number[] {
  const parts = text(value)
    .split(',')
    .map((part) => part.trim())
  if (parts.length === 1 && parts[0] === '') return []
  return parts.map(integer(1, 100)).sort((a, b) => a - b)
}

export function endpoints(value: unknown): Endpoint[] {
  const values: unknown[] = Array.isArray(value) ? value : [value]
  return values.map((each) => {
    const match = /^(?:\[([\da-fA-F:]+)\]|([^:[\]\s]+)):(\d+)$/.exec(text(each))
    // Perhaps a URL, with a password.
    if (/[@/]/.test(text(each))) throw new InputError('is not HOST:PORT, without user and password')
    if (!match) throw new InputError(`"${text(each)}" is not HOST:PORT`)
    return { host: match[1] ?? match[2]!, port: integer(1, 65_535)(match[3]) }
  })
}

/** A domain name; an empty text is none. */
export function domain(value: unknown): string {
  const name = text(value)
  return name === '' ? '' : typedDomain(name)
}

/** Domain names with commas between; an empty text is none. */
export function domains(value: unknown): string[] {
  const parts = text(value)
    .split(',')
    .map((part) => part.trim())
  return parts.length === 1 && parts[0] === '' ? [] : parts.map(typedDomain)
}

/** An IPv4 or IPv6 address; an empty text is none. */
export function ipAddress(value: unknown): string {
  const address = text(value)
  if (address !== '' && isIP(address) === 0) throw new InputError(`"${address}" is no IP address`)
  return address
}

/** The name of a header field of our own (RFC 5322 §2.2), which begins with `X-`; an empty text is none. */
export function ownHeaderName(value: unknown): string {
  const name = text(value)
  if (name === '' || /^X-[!-9;-~]{1,70}$/i.test(name)) return name
  throw new InputError(
    `"${name}" is no header name of our own: write X- and letters, digits or hyphens, without a colon`,
  )
}
