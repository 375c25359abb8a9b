import { CLASSES, KNOWN_CLASSES, type KnownClass } from '../mail/classes'
import { MINUTE } from './calendar'
import { unpackNumbers, type Counts } from './counts'

/** Mail of one class through one connector in one minute. */
export interface MinuteRow {
  /** ms: the start of the minute. */
  readonly at: number
  readonly class: KnownClass
  /** `tenant/name`; empty: none matched; `(other)`: those without a row of their own. */
  readonly connector: string
  readonly counts: Counts
}

/**
 * Reads the minutes of an hour, oldest first: fields `LETTER<tab>CONNECTOR`, of which each value has a line for each
 * minute with mail: `MINUTE` and eight numbers.
 *
 * @param start of the hour, in ms.
 */
export function minutesIn(fields: Readonly<Record<string, string>>, start: number): MinuteRow[] {
  return Object.entries(fields)
    .flatMap(([field, text]) => {
      const [letter, connector] = field.split('\t')
      const of = KNOWN_CLASSES.find((each) => CLASSES[each].letter === letter)
      if (of === undefined || connector === undefined) return []
      return text
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => rowOf(of, connector, line, start))
    })
    .sort((a, b) => a.at - b.at)
}

function rowOf(of: KnownClass, connector: string, line: string, start: number): MinuteRow {
  const [minute = 0, ...numbers] = line.split(' ').map(Number)
  const at = start + minute * MINUTE
  return { at, class: of, connector, counts: unpackNumbers(numbers, at, at) }
}
