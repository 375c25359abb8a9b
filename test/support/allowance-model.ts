import assert from 'node:assert/strict'
import type { ChargeResult } from '../../src/allowance/charge-answer'
import type { Meter } from '../../src/allowance/ledger'
import { parseLimits, type Limit, type Limits } from '../../src/allowance/limits'
import type { Scope } from '../../src/restriction/restriction'
import type { Mode } from '../../src/mode'

/** Small ones, so that they are reached; over windows of whole buckets (1m, 10m) and of others (7s). */
export const MODEL_LIMITS = [
  '3/1m',
  '4/1m, 6/10m',
  '2/7s, 5/1m',
  '2/1m defer, 4/10m',
  '3/10m defer',
  '1/7s defer, 3/1m defer',
  '0/1m',
  '0/7s defer, 4/1m',
  'unlimited',
] as const

/** A recipient that was counted, and when: in each window of that moment. */
interface Event {
  readonly key: string
  readonly meter: Meter
  readonly times: ReadonlyMap<number, number>
}

interface Receipt {
  readonly answer: Answer
  /** `undefined`: not counted, or given back. */
  readonly event: Event | undefined
}

type Answer = Pick<ChargeResult, 'answer' | 'used' | 'limit' | 'window'>

/** Percentages of a limit that are told. */
const WARN_AT = [50, 80, 95]

/** An event that must be raised, as far as the model knows it. */
export type ModelEvent =
  | { readonly kind: 'allowance' | 'resolved'; readonly window: number; readonly percent: number }
  | { readonly kind: 'restricted'; readonly probation: boolean }
  | { readonly kind: 'lifted' }

/** What a charge is answered. */
export type ModelAnswer = Answer & Pick<ChargeResult, 'windows' | 'firstWouldTrip' | 'scope'>

const EXPIRED: Answer = { answer: 'EXPIRED', used: 0, limit: 0, window: 0 }

/** How a domain is registered for a tenant. */
export type Coverage = 'not at all' | 'alone' | 'with subdomains'

/** The domain that all mail comes from, and the one above it. */
export const SENDER = 'mail.other.example'
export const ABOVE_SENDER = 'other.example'

/** A window has reached a percentage of its limit. */
interface Edge {
  readonly window: number
  readonly percent: number
  readonly told: number
}

/** So long an edge stays open, in ms, unless its window is shorter. */
const LEAST_OPEN = 900_000

/**
 * A tenant's meters as a plain list of events. A window of W ms holds an event for W at least, and until the bucket of
 * ⌈W/60⌉ ms that it fell into is 61 buckets old.
 */
export class ModelTenant {
  restricted: Scope | undefined
  wouldTrip = false
  /** All that was raised since there is such a tenant. */
  readonly raised: ModelEvent[] = []
  private probation: { readonly limits: Limits; readonly until: number } | undefined
  /** Edges that have been told and not ended. */
  private edges: Edge[] = []
  private readonly domains = new Map<string, Coverage>()
  private limits: Record<Meter, Limits>
  private mode: Mode = 'enforce'
  private events: Event[] = []
  /** By meter and window: the latest moment that it knows of. Its time does not go back behind that. */
  private readonly latest = new Map<string, number>()
  private readonly receipts: Map<string, Receipt>
  private accepted:
    | {
        readonly meter: Meter
        readonly limits: Limits
        readonly at: number
        readonly enforcing: boolean
      }
    | undefined

  /** @param predecessor the tenant that had this id before: its receipts are there still. */
  constructor(limits: string, predecessor?: ModelTenant) {
    this.limits = { unregistered: parseLimits(limits), null: parseLimits(limits) }
    this.receipts = predecessor?.receipts ?? new Map<string, Receipt>()
  }

  limitsOf(meter: Meter, now: number): Limits {
    const own = this.limits[meter]
    if (meter !== 'unregistered' || !this.isOnProbation(now)) return own
    const given = this.probation!.limits
    const windows = new Set([...own, ...given].map(({ window }) => window))
    return [...windows].map((window) => {
      const [first, second] = [...own, ...given].filter((limit) => limit.window === window)
      return second && second.count < first!.count ? second : first!
    })
  }

  private isOnProbation(now: number): boolean {
    return this.probation !== undefined && now < this.probation.until
  }

  coverageOf(domain: string): Coverage {
    return this.domains.get(domain) ?? 'not at all'
  }

  cover(domain: string, coverage: Coverage): void {
    this.domains.set(domain, coverage)
  }

  /** Whether the sender domain is an accepted domain. */
  get registered(): boolean {
    return (
      this.coverageOf(SENDER) !== 'not at all' ||
      this.coverageOf(ABOVE_SENDER) === 'with subdomains'
    )
  }

  set(limits: string, nullLimits: string, mode: Mode): void {
    this.limits = { unregistered: parseLimits(limits), null: parseLimits(nullLimits) }
    this.mode = mode
  }

  /** @returns whether it may be done: `all` is not loosened. */
  block(scope: Scope): boolean {
    if (this.restricted === 'all' && scope !== 'all') return false
    if (!this.restricted) this.raised.push({ kind: 'restricted', probation: false })
    this.restricted = scope
    return true
  }

  lift(
    now: number,
    keepUsage: boolean,
    probation?: { limits: string; duration: number },
  ): 'lifted' | 'ended' | 'unchanged' {
    const { restricted, wouldTrip } = this
    const endsProbation = restricted !== undefined || !probation
    const ended = endsProbation && this.isOnProbation(now)
    if (restricted === undefined && !wouldTrip && !ended) return 'unchanged'
    if (endsProbation) {
      this.probation = probation && {
        limits: parseLimits(probation.limits),
        until: now + probation.duration,
      }
    }
    if (restricted !== undefined) this.raised.push({ kind: 'lifted' })
    this.restricted = undefined
    this.wouldTrip = false
    if (!keepUsage) {
      this.end(this.edges)
      this.edges = []
      this.events = []
      this.latest.clear()
    }
    return restricted !== undefined || wouldTrip ? 'lifted' : 'ended'
  }

  charge(now: number, key: string, meter: Meter, late: boolean): ModelAnswer {
    const before = { wouldTrip: this.wouldTrip, scope: this.restricted }
    const answer = this.answer(now, key, meter, late)
    const { accepted } = this
    const windows = accepted?.limits ?? []
    const reached =
      accepted && meter === 'unregistered' ? this.tellEdges(accepted) : new Map<number, number>()
    return {
      ...answer,
      windows: windows.map(({ window, count }) => ({
        used: this.count(meter, window, now).held,
        limit: count,
        window,
        reached: reached.get(window) ?? 0,
      })),
      firstWouldTrip: this.wouldTrip && !before.wouldTrip,
      scope: answer.answer === 'RESTRICTED' && before.scope ? before.scope : 'unregistered',
    }
  }

  /** What each window has reached just now; of several edges at once, the highest. */
  private tellEdges({ limits, at }: { limits: Limits; at: number }): Map<number, number> {
    const levels = new Map(
      limits.map(({ window, count }) => {
        const { held } = this.count('unregistered', window, at)
        const level = WARN_AT.findLast((percent) => count > 0 && held * 100 >= count * percent)
        return [window, level ?? 0]
      }),
    )
    const isOver = ({ window, percent, told }: Edge): boolean =>
      percent > (levels.get(window) ?? 0) && at - told >= Math.min(LEAST_OPEN, window)
    this.end(this.edges.filter(isOver))
    this.edges = this.edges.filter((edge) => !isOver(edge))
    const reached = new Map<number, number>()
    for (const { window } of limits) {
      const percent = levels.get(window)!
      const told = this.edges.filter((edge) => edge.window === window)
      if (told.some((edge) => edge.percent >= percent) || percent === 0) continue
      reached.set(window, percent)
      this.edges.push({ window, percent, told: at })
      this.raised.push({ kind: 'allowance', window, percent })
    }
    return reached
  }

  private end(edges: readonly Edge[]): void {
    for (const { window, percent } of edges) {
      this.raised.push({ kind: 'resolved', window, percent })
    }
  }

  private answer(now: number, key: string, meter: Meter, late: boolean): Answer {
    this.accepted = undefined
    const receipt = this.receipts.get(key)
    if (receipt) return receipt.answer
    if (late) return EXPIRED
    if (this.mode === 'off') return { ...EXPIRED, answer: 'OFF' }
    const enforcing = this.mode === 'enforce'
    const scope = enforcing ? this.restricted : undefined
    if (scope === 'all') return { ...EXPIRED, answer: 'RESTRICTED' }
    if (this.registered && meter === 'unregistered') return { ...EXPIRED, answer: 'REGISTERED' }
    if (scope && meter === 'unregistered') return { ...EXPIRED, answer: 'RESTRICTED' }
    const limits = this.limitsOf(meter, now)
    if (limits.length === 0) return { ...EXPIRED, answer: 'CHARGED' }

    const reached = limits.filter(
      ({ window, count }) => this.count(meter, window, now).held >= count,
    )
    const zero = reached.find(({ count, defer }) => count === 0 && !defer)
    const over = reached.find(({ count, defer }) => count > 0 && !defer)
    const reply = (answer: Answer['answer'], limit: Limit, more = 0): Answer => ({
      answer,
      used: this.count(meter, limit.window, now).held + more,
      limit: limit.count,
      window: limit.window,
    })
    if (enforcing && reached.length > 0) {
      if (meter === 'null') return reply('FULL', zero ?? over ?? reached[0]!)
      if (zero) return reply('ZERO', zero)
      if (!over) return reply('DEFER', reached[0]!)
      const answer = reply('TRIPPED', over)
      this.restricted = 'unregistered'
      this.raised.push({ kind: 'restricted', probation: this.isOnProbation(now) })
      this.receipts.set(key, { answer, event: undefined })
      return answer
    }
    if (meter === 'unregistered' && over) this.wouldTrip = true

    const left = ({ window, count }: Limit): number => count - this.count(meter, window, now).held
    const tightest = limits.reduce((best, each) => (left(each) < left(best) ? each : best))
    const answer = reply('CHARGED', tightest, 1)
    const times = new Map(limits.map(({ window }) => [window, this.timeIn(meter, window, now)]))
    for (const [window, time] of times) this.latest.set(`${meter} ${window}`, time)
    const event = { key, meter, times }
    this.events.push(event)
    this.receipts.set(key, { answer, event })
    this.accepted = { meter, limits, at: now, enforcing }
    return answer
  }

  /** A transaction is so long ago that nothing is known of it any more. */
  forget(transaction: number): void {
    for (const key of this.receipts.keys()) {
      if (key.startsWith(`${transaction}/`)) this.receipts.delete(key)
    }
  }

  refund(keys: readonly string[]): number {
    let refunded = 0
    for (const key of keys) {
      const receipt = this.receipts.get(key)
      if (receipt && receipt.answer.answer !== 'CHARGED') continue
      this.receipts.set(key, { answer: EXPIRED, event: undefined })
      const { event } = receipt ?? {}
      if (!event || !this.events.includes(event)) continue
      refunded++
      this.events = this.events.filter((each) => each !== event)
    }
    return refunded
  }

  /**
   * How many events a window holds; how many there were within its length at `least`, and within its length and the
   * bucket that is running at `most`.
   */
  count(meter: Meter, window: number, now: number): { held: number; least: number; most: number } {
    const time = this.timeIn(meter, window, now)
    const times = this.events
      .filter((event) => event.meter === meter && event.times.has(window))
      .map((event) => event.times.get(window)!)
    return {
      held: times.filter((each) => bucketOf(each, window) > bucketOf(time, window) - 61).length,
      least: times.filter((each) => each >= time - window).length,
      most: times.filter((each) => each > time - 61 * Math.ceil(window / 60)).length,
    }
  }

  /** What was accepted last did not make more than a limit allows, in the interval that ends with it. */
  assertNeverOver(meter: Meter): void {
    if (!this.accepted?.enforcing || this.accepted.meter !== meter) return
    for (const { window, count } of this.accepted.limits) {
      const { least } = this.count(meter, window, this.accepted.at)
      assert.ok(least <= count, `${least} of ${count} in ${window} ms`)
    }
  }

  private timeIn(meter: Meter, window: number, now: number): number {
    return Math.max(now, this.latest.get(`${meter} ${window}`) ?? now)
  }
}

function bucketOf(time: number, window: number): number {
  return Math.floor(time / Math.ceil(window / 60))
}
