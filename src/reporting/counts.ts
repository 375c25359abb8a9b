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
  return {
    accepted: numbers[0] ?? 0,
    deferred: numbers[1] ?? 0,
    refused: numbers[2] ?? 0,
    refunded: numbers[3] ?? 0,
    messages: {
      accepted: numbers[4] ?? 0,
      deferred: numbers[5] ?? 0,
      refused: numbers[6] ?? 0,
      refunded: numbers[7] ?? 0,
    },
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
  return sumOf([a, b])
}

/** Makes one object at most, whatever their number: reports have ten thousands. */
export function sumOf(all: readonly Counts[]): Counts {
  // Most lines of a report are of one row.
  if (all.length === 1) return all[0]!
  const sum = { accepted: 0, deferred: 0, refused: 0, refunded: 0 }
  const messages = { accepted: 0, deferred: 0, refused: 0, refunded: 0 }
  let firstSeen = 0
  let lastSeen = 0
  for (const each of all) {
    sum.accepted += each.accepted
    sum.deferred += each.deferred
    sum.refused += each.refused
    sum.refunded += each.refunded
    messages.accepted += each.messages.accepted
    messages.deferred += each.messages.deferred
    messages.refused += each.messages.refused
    messages.refunded += each.messages.refunded
    if (firstSeen === 0 || (each.firstSeen !== 0 && each.firstSeen < firstSeen)) {
      firstSeen = each.firstSeen
    }
    if (each.lastSeen > lastSeen) lastSeen = each.lastSeen
  }
  const { accepted, deferred, refused, refunded } = sum
  return { accepted, deferred, refused, refunded, messages, firstSeen, lastSeen }
}
