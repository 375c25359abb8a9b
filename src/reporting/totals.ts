import { randomBytes } from 'node:crypto'
import { coalesced } from '../base/coalesce'
import { CLASSES, type MailClass } from '../mail/classes'
import { readScript } from '../store/script'
import type { Store } from '../store/store'
import type { Batch } from './batch'
import type { Numbers } from './numbers'
import type { MessageOutcome } from './outcome'
import { UnattributedBatch } from './unattributed-batch'

const ADD = readScript(__dirname, 'add_totals')

/** The outcomes of {@link Numbers.values}, in its order. */
const OUTCOMES = ['accepted', 'deferred', 'refused', 'refunded'] as const
const UNITS = ['recipients', 'messages'] as const

/** In the place of a class: mail without a tenant. */
export const NO_TENANT = '-'

/** What a process has counted since its start, of the recipients of mail that a meter counts. */
export type Charged = Readonly<Record<Exclude<MessageOutcome, 'refunded'>, number>>

/**
 * Counters over all tenants, processes and time, in one hash of Redis. A process adds to them in numbered calls: one whose
 * answer was lost is sent again unchanged, and counts once. What a process that is killed has not added is lost.
 */
export class Totals {
  private readonly process = randomBytes(8).toString('hex')
  private number = 0
  /** Counter → what no call has been made for. */
  private open = new Map<string, number>()
  /** The arguments of the call that has had no answer yet. */
  private waiting: readonly (string | number)[] | undefined
  /** The version of the counters that Redis is known to have had. */
  private version = '0'
  private readonly charged = { accepted: 0, deferred: 0, refused: 0 }
  private readonly codes = new Map<string, number>()

  constructor(private readonly store: Store) {}

  /** Of this process since its start. */
  get sinceStart(): {
    readonly charged: Charged
    readonly undecided: Readonly<Record<string, number>>
  } {
    return { charged: { ...this.charged }, undecided: Object.fromEntries(this.codes) }
  }

  /** Counts the mail in a batch that has ended. */
  addBatch(batch: Batch | UnattributedBatch): void {
    if (batch instanceof UnattributedBatch) {
      for (const numbers of batch.sources.rows.values()) this.addNumbers(NO_TENANT, numbers)
      return
    }
    for (const [of, { rows }] of batch.totals) {
      for (const numbers of rows.values()) this.addClass(of, numbers)
    }
    for (const [row, numbers] of batch.sources.rows) this.addClass(CLASS_OF[row[0]!]!, numbers)
  }

  /** Recipients, or a whole transaction, could not be decided. @param reason as the log has it. */
  addUndecided(reason: string): void {
    const code = codeOf(reason)
    this.add(`undecided ${code}`, 1)
    this.codes.set(code, (this.codes.get(code) ?? 0) + 1)
  }

  /** Adds all that was counted to Redis. @throws where Redis gave no answer: the next call goes on. */
  readonly flush = coalesced(async () => {
    while (this.waiting || this.open.size > 0) {
      if (!this.waiting) {
        this.waiting = [`${this.process} ${++this.number}`, ...[...this.open].flat()]
        this.open = new Map()
      }
      const [call, ...counts] = this.waiting
      const { totals, totalsAdded } = this.store.keys
      const args = [call!, this.version, ...counts]
      this.version = (await this.store.run(ADD, [totals, totalsAdded], args)) as string
      this.waiting = undefined
    }
  })

  private addClass(of: MailClass, numbers: Numbers): void {
    this.addNumbers(CLASSES[of].letter, numbers)
    if (CLASSES[of].meter === undefined) return
    const [accepted = 0, deferred = 0, refused = 0] = numbers.values
    this.charged.accepted += accepted
    this.charged.deferred += deferred
    this.charged.refused += refused
  }

  private addNumbers(letter: string, numbers: Numbers): void {
    numbers.values.forEach((value, at) => {
      const [outcome, unit] = [OUTCOMES[at % 4]!, UNITS[at < 4 ? 0 : 1]]
      if (value > 0) this.add(`${letter} ${outcome} ${unit}`, value)
    })
  }

  private add(counter: string, value: number): void {
    this.open.set(counter, (this.open.get(counter) ?? 0) + value)
  }
}

/** A reason as a code of a small set: `tenant-unknown`, `charge-expired`, `no-connection`, `redis-oom`, `other`. */
function codeOf(reason: string): string {
  if (/^[a-z]+-[a-z-]+$/.test(reason)) return reason
  if (/^(charge|settle) [a-z]+$/.test(reason)) return reason.replace(' ', '-')
  if (reason === 'no connection to Redis') return 'no-connection'
  const [, answer] = /^Redis .*\(([A-Z]+)\)$/.exec(reason) ?? []
  if (answer !== undefined) return `redis-${answer.toLowerCase()}`
  return reason.startsWith('Redis') ? 'redis-failed' : 'other'
}

const CLASS_OF: Readonly<Record<string, MailClass>> = Object.fromEntries(
  (Object.keys(CLASSES) as MailClass[]).map((each) => [CLASSES[each].letter, each]),
)
