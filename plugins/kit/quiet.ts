const INTERVAL = 60_000
/** Kinds that are told apart; what comes then is counted as one. */
const MOST_KINDS = 100
const OTHERS = ''

interface Known<Thing> {
  readonly thing: Thing
  repeats: number
}

/**
 * Tells a thing of a kind once, then once a minute how often others of its kind have come, until a minute goes by
 * without any: an outage must not flood the log.
 */
export class Quiet<Thing = string> {
  private readonly known = new Map<string, Known<Thing>>()

  /** @param tell gets the first thing of a kind, and how many of the kind came in the minute that is over; 0 at first. */
  constructor(private readonly tell: (thing: Thing, repeats: number) => void) {}

  /** @returns whether it was told; else it is counted. */
  say(kind: string, thing: Thing): boolean {
    const known = this.known.get(kind)
    if (known) {
      known.repeats++
      return false
    }
    if (this.known.size >= MOST_KINDS && kind !== OTHERS) return this.say(OTHERS, thing)
    const first: Known<Thing> = { thing, repeats: 0 }
    this.known.set(kind, first)
    this.tellLater(kind, first)
    this.tell(thing, 0)
    return true
  }

  private tellLater(kind: string, known: Known<Thing>): void {
    setTimeout(() => {
      const { thing, repeats } = known
      if (repeats === 0) {
        this.known.delete(kind)
        return
      }
      known.repeats = 0
      this.tellLater(kind, known)
      this.tell(thing, repeats)
    }, INTERVAL).unref()
  }
}

/** For a {@link Quiet} of texts: the line for the log. */
export function lineOf(text: string, repeats: number): string {
  return repeats === 0 ? text : `${text} (${repeats} more in the last minute)`
}
