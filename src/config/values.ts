import { InputError } from '../base/errors'
import { typedDomain } from '../names/typed-domain'

// Parsers of values that several sections have ({@link Parse}).

export function text(value: unknown): string {
  if (typeof value === 'string' || typeof value === 'number') return String(value).trim()
  throw new InputError('is not a single value')
}

/** `undefined` for an empty value. */
export function orNone<T>(parse: (value: unknown) => T): (value: unknown) => T | undefined {
  return (value) => (text(value) === '' ? undefined : parse(value))
}

export function boolean(value: unknown): boolean {
  return oneOf(['true', 'false'])(value) === 'true'
}

export function oneOf<const T extends string>(choices: readonly T[]): (value: unknown) => T {
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

/** The parts of a value with commas between them; an empty value has none. */
export function list(value: unknown): string[] {
  const whole = text(value)
  return whole === '' ? [] : whole.split(',').map((part) => part.trim())
}

/** A domain name; an empty value is none. */
export function domain(value: unknown): string {
  const name = text(value)
  return name === '' ? '' : typedDomain(name)
}
