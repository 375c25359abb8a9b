import { InputError } from './errors'

/** A condition on one field, as a person types it. */
export interface Condition<Key extends string> {
  readonly key: Key
  readonly value: string
  /** Whether `value` is a prefix. */
  readonly start: boolean
}

/**
 * Reads `domain=lure.example`, or `domain^=lure` for a prefix.
 *
 * @throws {InputError}
 */
export function parseCondition<Key extends string>(
  text: string,
  keys: readonly Key[],
): Condition<Key> {
  const match = /^([a-z]+)(\^?)=(.*)$/s.exec(text)
  const key = keys.find((each) => each === match?.[1])
  if (!match || key === undefined) {
    throw new InputError(
      `"${text}" is not a filter: write KEY=VALUE, or KEY^=START for a prefix; KEY is one of ${keys.join(', ')}`,
    )
  }
  return { key, value: match[3]!, start: match[2] === '^' }
}
