import { createHistogram, type RecordableHistogram } from 'node:perf_hooks'
import type { Step } from '../smtp-session'

export type Verb = 'MAIL' | 'RCPT'
export const VERBS: readonly Verb[] = ['MAIL', 'RCPT']

/** What a session sends in one go: a message, or one after an attempt that is refused. */
export type ErrandKind = 'registered' | 'unregistered' | 'null' | 'refused'

const US_A_MS = 1_000
const [LETTER_M] = Buffer.from('M')

/** How long clients waited for answers. Six million of them take no more room than a hundred. */
export class Waits {
  readonly #histogram: RecordableHistogram = createHistogram()

  add(ms: number): void {
    this.#histogram.record(Math.max(1, Math.round(ms * US_A_MS)))
  }

  /** Takes over what another one has counted. */
  merge(other: Waits): void {
    // Without any it would take over a minimum that nothing had.
    if (other.count > 0) this.#histogram.add(other.#histogram)
  }

  get count(): number {
    return this.#histogram.count
  }

  /** ms; `share` from 0 to 1 (exclusive of 0). */
  quantile(share: number): number {
    return this.#histogram.percentile(share * 100) / US_A_MS
  }

  /** ms */
  get longest(): number {
    return this.#histogram.max / US_A_MS
  }
}

/** What a crew did in one slice of time. */
export class Tally {
  /** Messages that were taken while the slice lasted. */
  messages = 0
  /** Attempts that were refused as they should be, meanwhile. */
  refused = 0
  readonly waits: Readonly<Record<Verb, Waits>> = { MAIL: new Waits(), RCPT: new Waits() }

  #ms: number

  /** @param ms how long the slice lasts. */
  constructor(ms: number) {
    this.#ms = ms
  }

  get ms(): number {
    return this.#ms
  }

  /** Takes over what another slice brought. */
  merge(other: Tally): void {
    this.#ms += other.ms
    this.messages += other.messages
    this.refused += other.refused
    for (const verb of VERBS) this.waits[verb].merge(other.waits[verb])
  }

  get perSecond(): number {
    return (1_000 * this.messages) / this.ms
  }

  answered(ms: number, to: Step): void {
    this.waits[to.command[0] === LETTER_M ? 'MAIL' : 'RCPT'].add(ms)
  }

  /** Every errand ends with a message. */
  count(kind: ErrandKind): void {
    this.messages++
    if (kind === 'refused') this.refused++
  }
}
