/** Outcomes of recipients and of messages. A message counts by the best outcome of its recipients. */
export interface Counts {
  /** Recipients answered with 250 and not refunded. */
  readonly accepted: number
  readonly deferred: number
  readonly refused: number
  /** Recipients answered with 250 and refunded: their message was not accepted. */
  readonly refunded: number
  readonly messages: {
    readonly accepted: number
    readonly deferred: number
    readonly refused: number
    readonly refunded: number
  }
  /** ms since the epoch, server time; 0: never */
  readonly firstSeen: number
  readonly lastSeen: number
}

export const NOTHING: Counts = {
  accepted: 0,
  deferred: 0,
  refused: 0,
  refunded: 0,
  messages: { accepted: 0, deferred: 0, refused: 0, refunded: 0 },
  firstSeen: 0,
  lastSeen: 0,
}

/** Reads the value of a report field: the ten numbers that `reporting/lua/record.lua` adds up; missing ones are 0. */
export function unpackCounts(text: string): Counts {
  const numbers = text.split(' ').map(Number)
  return unpackNumbers(numbers, numbers[8] ?? 0, numbers[9] ?? 0)
}

/** Recipients, then messages: accepted, deferred, refused and refunded; missing ones are 0. Times in ms. */
export function unpackNumbers(
  numbers: readonly number[],
  firstSeen: number,
  lastSeen: number,
): Counts {
  const at = (index: number): number => numbers[index] ?? 0
  return {
    accepted: at(0),
    deferred: at(1),
    refused: at(2),
    refunded: at(3),
    messages: { accepted: at(4), deferred: at(5), refused: at(6), refunded: at(7) },
    firstSeen,
    lastSeen,
  }
}

/** The numbers of {@link unpackNumbers}. */
export function packNumbers({ accepted, deferred, refused, refunded, messages }: Counts): number[] {
  return [
    ...[accepted, deferred, refused, refunded],
    ...[messages.accepted, messages.deferred, messages.refused, messages.refunded],
  ]
}

export function addCounts(a: Counts, b: Counts): Counts {
  return {
    accepted: a.accepted + b.accepted,
    deferred: a.deferred + b.deferred,
    refused: a.refused + b.refused,
    refunded: a.refunded + b.refunded,
    messages: {
      accepted: a.messages.accepted + b.messages.accepted,
      deferred: a.messages.deferred + b.messages.deferred,
      refused: a.messages.refused + b.messages.refused,
      refunded: a.messages.refunded + b.messages.refunded,
    },
    firstSeen: a.firstSeen === 0 ? b.firstSeen : Math.min(a.firstSeen, b.firstSeen || a.firstSeen),
    lastSeen: Math.max(a.lastSeen, b.lastSeen),
  }
}
