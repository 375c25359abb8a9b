import { InputError } from '../base/errors'

// Parsers of values that several sections have ({@link Parse}).

export function text(value: unknown): string {
  if (typeof value === 'string' || typeof value === 'number') return String(value).trim()
  throw new InputError('is not a single value')
}

/** Parses a value that may be empty: then it is `undefined`. */
export function orNone<T>(parse: (text: string) => T): (value: unknown) => T | undefined {
  return (value) => (text(value) === '' ? undefined : parse(text(value)))
}

/** Parses a value that may be empty: then it stays so. */
export function orEmpty(parse: (text: string) => string): (value: unknown) => string {
  return (value) => orNone(parse)(value) ?? ''
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
