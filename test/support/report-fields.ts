import type { Counts } from '../../src/reporting/counts'
import { unpackCounts } from '../../src/reporting/counts'
import type { HeaderFromSource, Owned, Source } from '../../src/reporting/rows'
import {
  CLASSES,
  KNOWN_CLASSES,
  USUAL_CLASS,
  USUAL_LOOKED,
  type KnownClass,
  type LookedClass,
  type SourceClass,
} from '../../src/mail/classes'

// The fields and values of reports as `reporting/lua/record.lua` writes them: what src reads, written a second time, so
// that a test can fill Redis by itself.

/** All mail of one class in one hour of a day. */
export interface HourTotal {
  /** 0 to 23, UTC */
  readonly hour: number
  readonly class: KnownClass
  readonly counts: Counts
}

/** The field of a source in the hash of an hour or a day. */
export function sourceField(
  { domain, connector, ip, user }: Source,
  sourceClass: SourceClass = USUAL_CLASS,
): string {
  return `${CLASSES[sourceClass].rowLetter}\t${domain}\t${connector}\t${ip}\t${user}`
}

/** Reads a field of {@link totalField} with its value; `undefined`: another field. */
export function readTotal(field: string, value: string): HourTotal | undefined {
  const [kind, hour, letter] = field.split('\t')
  const of = KNOWN_CLASSES.find((each) => CLASSES[each].letter === letter)
  if (kind !== 't' || of === undefined) return undefined
  return { hour: Number(hour), class: of, counts: unpackCounts(value) }
}

/** The field of a foreign domain, in the hash of a day only. */
export function ownedField({ domain, owner }: Owned): string {
  return `o\t${domain}\t${owner}`
}

/** The field of such a domain, in the hash of a day only. */
export function headerFromField(
  { domain, connector }: HeaderFromSource,
  of: LookedClass = USUAL_LOOKED,
): string {
  return `h${CLASSES[of].headerFrom!.letter}\t${domain}\t${connector}`
}

/** The value of a report field in Redis: the ten numbers that `reporting/lua/record.lua` adds up. */
export function packCounts(counts: Counts): string {
  const { accepted, deferred, refused, refunded, messages, firstSeen, lastSeen } = counts
  return [
    ...[accepted, deferred, refused, refunded],
    ...[messages.accepted, messages.deferred, messages.refused, messages.refunded],
    ...[firstSeen, lastSeen],
  ].join(' ')
}
