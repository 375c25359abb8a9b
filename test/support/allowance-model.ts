import assert from 'node:assert/strict'
import type { ChargeResult } from '../../src/allowance/charge-answer'
import type { Charge, Defaults, MessageResult } from '../../src/allowance/ledger'
import type { Meter } from '../../src/mail/meters'
import { parseLimits, type Limit, type Limits } from '../../src/mail/limits'
import type { Scope } from '../../src/mail/scope'
import type { Mode } from '../../src/mail/mode'
import type { TestClock } from './clock'

/** Small limits, so that they are reached; over windows of whole buckets (1m, 10m) and others (7s). */
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

/** The most recipients held at once in the tests of the model: small, so that it is reached. */
export const MODEL_HOLDS = 4

/** The shortest time that a recipient is held, in ms. */
const HOLDS_WINDOW = 600_000

/** The most recipients that a signature can prove. */
const MOST_PROVEN = 5

/** The meters, and the ring of held recipients. */
type Counter = Meter | 'held'

/** A counted recipient, and its time in each window, by the clock of that window. */
interface Event {
  readonly key: string
  readonly meter: Counter
  readonly times: ReadonlyMap<number, number>
  /** The total forward movement of the clock. */
  readonly passed: number
}

/** The time of a window, which never goes back: its latest moment, and how many ms it is ahead of the clock. */
interface WindowTime {
  readonly latest: number
  readonly ahead: number
}

interface Receipt {
  readonly answer: Answer
  /** `undefined`: not counted, or refunded. */
  readonly event: Event | undefined
}

type Answer = Pick<ChargeResult, 'answer' | 'used' | 'limit' | 'window'>

/** Percentages of a limit that raise an event; on the null sender's meter 100 too. */
const WARN_AT = [50, 80, 95]
const NULL_WARN_AT = [...WARN_AT, 100]

/** An event that must be raised; the fields that the model predicts. */
export type ModelEvent =
  | {
      readonly kind: 'allowance' | 'resolved'
      readonly meter: Meter
      readonly window: number
      readonly percent: number
    }
  | { readonly kind: 'restricted'; readonly probation: boolean }
  | { readonly kind: 'lifted' }

/** The meters that can restrict a tenant. */
type CountedMeter = Exclude<Meter, 'null'>

/** The answer to a settlement. */
export type ModelSettlement = ModelAnswer & Pick<MessageResult, 'meter' | 'exhausted'>

/** The answer to a charge. */
export type ModelAnswer = Answer & Pick<ChargeResult, 'edges' | 'firstWouldTrip' | 'scope'>

const EXPIRED: Answer = { answer: 'EXPIRED', used: 0, limit: 0, window: 0 }

/** How a domain is registered for a tenant. */
export type Coverage = 'not at all' | 'alone' | 'with subdomains'

/** The domain of all mail, and the one above it. */
export const SENDER = 'mail.other.example'
export const ABOVE_SENDER = 'other.example'

/** A window has reached a percentage of its limit. */
interface Edge {
  readonly meter: Meter
  readonly window: number
  readonly percent: number
  readonly raisedAt: number
}

/** How long an edge stays open, in ms, unless its window is shorter. */
const LEAST_OPEN = 900_000

/**
 * A tenant's meters as a plain list of events. A window of W ms holds an event for W at least, and until the bucket
 * of ⌈W/60⌉ ms that it fell into is 61 buckets old. Where the clock goes back by less than that, the window waits for
 * it; where it goes back by more, the time of the window goes on.
 */
export class ModelTenant {
  restricted: Scope | undefined
  wouldTrip = false
  /** All events since the tenant was registered. */
  readonly raised: ModelEvent[] = []
  /** In place of the limits until a time. */
  private readonly temporary = new Map<Meter, { readonly limits: Limits; readonly until: number }>()
  private probation: { readonly limits: Limits; readonly until: number } | undefined
  /** Edges that were raised and not ended. */
  private edges: Edge[] = []
  private readonly domains = new Map<string, Coverage>()
  /** Without limits for forwards it has no allowance for them. */
  private limits: Record<'unregistered' | 'null', Limits> & { forwarded?: Limits | undefined }
  /** What the host of the call does about them. */
  forwardsOnHost: Defaults['forwards'] = 'refuse'
  /** The number of recipients that each signature has proven. */
  private readonly proven: Map<string, number>
  private mode: Mode = 'enforce'
  private events: Event[] = []
  /** By meter and window. */
  private readonly windowTimes = new Map<string, WindowTime>()
  private readonly receipts: Map<string, Receipt>
  /** By transaction: the answer to a message that tripped. */
  private readonly trips: Map<string, ModelSettlement>
  private accepted:
    | {
        readonly meter: Meter
        readonly limits: Limits
        readonly at: number
        readonly enforcing: boolean
      }
    | undefined

  /** @param predecessor the earlier tenant with this id: its receipts still exist. */
  constructor(
    limits: string,
    private readonly clock: Pick<TestClock, 'passed'>,
    predecessor?: ModelTenant,
  ) {
    this.limits = { unregistered: parseLimits(limits), null: parseLimits(limits) }
    this.receipts = predecessor?.receipts ?? new Map<string, Receipt>()
    this.trips = predecessor?.trips ?? new Map<string, ModelSettlement>()
    this.proven = predecessor?.proven ?? new Map<string, number>()
  }

  limitsOf(meter: Meter, now: number): Limits {
    const temporary = this.temporary.get(meter)
    const usual = this.limits[meter]
    const own = (usual && temporary && now < temporary.until ? temporary.limits : usual) ?? []
    if (meter === 'null' && this.restricted && this.mode === 'enforce') {
      return own.map((limit) => ({ ...limit, count: Math.ceil(limit.count / 10) }))
    }
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

  get forwards(): boolean {
    return this.limits.forwarded !== undefined
  }

  set(limits: string, nullLimits: string, forwardedLimits: string | null, mode: Mode): void {
    this.limits = {
      unregistered: parseLimits(limits),
      null: parseLimits(nullLimits),
      forwarded: forwardedLimits === null ? undefined : parseLimits(forwardedLimits),
    }
    this.mode = mode
  }

  /** @param limits `undefined`: the usual ones. @returns the time of their end. */
  setFor(now: number, meter: Meter, limits: string | undefined, duration: number): number {
    const until = Math.ceil((now + duration) / 1000) * 1000
    if (limits === undefined) this.temporary.delete(meter)
    else this.temporary.set(meter, { limits: parseLimits(limits), until })
    return until
  }

  /** @returns whether that is allowed: `all` is not loosened. */
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
      this.windowTimes.clear()
    }
    return restricted !== undefined || wouldTrip ? 'lifted' : 'ended'
  }

  /** @param keys one recipient, or several that are charged together or not at all. */
  charge(now: number, keys: readonly string[], meter: Charge['meter'], late: boolean): ModelAnswer {
    return this.withEvents(now, meter, () => this.answer(now, keys, meter, late))
  }

  /** Settles all recipients of a complete message. */
  settle(
    now: number,
    keys: readonly string[],
    asked: CountedMeter,
    signatures: readonly string[],
    late: boolean,
  ): ModelSettlement {
    this.accepted = undefined
    const trip = this.trips.get(transactionOf(keys[0]!))
    if (trip) return trip
    const left = keys.filter((key) => {
      const receipt = this.receipts.get(key)
      return !receipt || receipt.answer.answer === 'HELD'
    })
    if (left.length === 0) {
      const answers = keys.map((key) => this.receipts.get(key)!.answer)
      const answer = answers.findLast((each) => each.answer !== 'EXPIRED') ?? EXPIRED
      const meter = answer.answer === 'CHARGED' ? 'unregistered' : asked
      return { ...this.withEvents(now, meter, () => answer), meter, exhausted: false }
    }
    const nothing = (answer: Answer): ModelSettlement => ({
      ...this.withEvents(now, asked, () => answer),
      ...{ meter: asked, exhausted: false },
    })
    if (late) return nothing(EXPIRED)
    if (this.mode === 'off') return nothing({ ...EXPIRED, answer: 'OFF' })
    const scope = this.mode === 'enforce' ? this.restricted : undefined
    if (scope === 'all') return nothing({ ...EXPIRED, answer: 'RESTRICTED' })
    if (this.registered) return nothing({ ...EXPIRED, answer: 'REGISTERED' })
    const isUsedUp = (signature: string): boolean =>
      (this.proven.get(signature) ?? 0) + left.length > MOST_PROVEN
    const exhausted = asked === 'forwarded' && signatures.some(isUsedUp)
    const isForwarded = asked === 'forwarded' && !exhausted && this.forwards
    const meter = isForwarded ? 'forwarded' : 'unregistered'
    const result = this.withEvents(now, meter, () => {
      const accepts = isForwarded && this.forwardsOnHost === 'accept'
      if (scope && !accepts) return { ...EXPIRED, answer: 'RESTRICTED' }
      return this.countIn(now, left, meter)
    })
    if (result.answer === 'TRIPPED') {
      for (const key of left) this.replace(key, undefined)
      this.trips.set(transactionOf(keys[0]!), { ...result, meter, exhausted })
    }
    if (result.answer === 'FORWARDED') {
      for (const each of signatures) {
        this.proven.set(each, (this.proven.get(each) ?? 0) + left.length)
      }
    }
    return { ...result, meter, exhausted }
  }

  /** Counts recipients of a message that was accepted already. */
  countAccepted(now: number, key: string, recipients: number, asked: Meter): ModelAnswer {
    this.accepted = undefined
    const receipt = this.receipts.get(key)
    const meter = asked === 'forwarded' && !this.forwards ? 'unregistered' : asked
    if (receipt) return this.withEvents(now, meter, () => receipt.answer)
    if (this.mode === 'off')
      return this.withEvents(now, meter, () => ({ ...EXPIRED, answer: 'OFF' }))
    if (this.registered && meter !== 'null') {
      return this.withEvents(now, meter, () => ({ ...EXPIRED, answer: 'REGISTERED' }))
    }
    const result = this.withEvents(now, meter, () => this.countLate(now, key, recipients, meter))
    const { answer, used, limit, window } = result
    this.receipts.set(key, { answer: { answer, used, limit, window }, event: undefined })
    return answer === 'TRIPPED' ? { ...result, edges: [], firstWouldTrip: false } : result
  }

  /** Counts regardless of limits, and restricts where one is exceeded. */
  private countLate(now: number, key: string, recipients: number, meter: Meter): Answer {
    const limits = this.limitsOf(meter, now)
    const before = limits.map(({ window }) => this.count(meter, window, now).held)
    const past = limits.filter(({ count, defer }, at) => !defer && before[at]! + recipients > count)
    const over = past.find(({ count }) => count > 0)
    const keys = Array.from({ length: recipients }, (_, at) => `${key}#${at}`)
    const counted = this.countIn(now, keys, meter, false)
    for (const each of keys) this.receipts.delete(each)
    if (this.mode !== 'enforce') return counted
    const isZero = past.some(({ count }) => count === 0)
    if (!over || isZero || this.restricted || meter === 'null') return counted
    this.restricted = 'unregistered'
    this.raised.push({
      kind: 'restricted',
      probation: meter === 'unregistered' && this.isOnProbation(now),
    })
    const used = before[limits.indexOf(over)]!
    return { answer: 'TRIPPED', used, limit: over.count, window: over.window }
  }

  /** An answer with its edges and would-be trip. */
  private withEvents(now: number, meter: Meter, answering: () => Answer): ModelAnswer {
    const before = { wouldTrip: this.wouldTrip, scope: this.restricted }
    const answer = answering()
    const { accepted } = this
    const reached = accepted ? this.tellEdges(meter, accepted) : new Map<number, number>()
    return {
      ...answer,
      edges: (accepted?.limits ?? []).flatMap(({ window, count }) => {
        const percent = reached.get(window)
        const used = this.count(meter, window, now).held
        return percent === undefined ? [] : [{ used, limit: count, window, percent }]
      }),
      firstWouldTrip: this.wouldTrip && !before.wouldTrip,
      scope: answer.answer === 'RESTRICTED' && before.scope ? before.scope : 'unregistered',
    }
  }

  /** The edges that each window has just reached; of several, the highest. */
  private tellEdges(
    meter: Meter,
    { limits, at }: { limits: Limits; at: number },
  ): Map<number, number> {
    const levels = new Map(
      limits.map(({ window, count }) => {
        const { held } = this.count(meter, window, at)
        const percents = meter === 'null' ? NULL_WARN_AT : WARN_AT
        const level = percents.findLast((percent) => count > 0 && held * 100 >= count * percent)
        return [window, level ?? 0]
      }),
    )
    const isOver = ({ meter: of, window, percent, raisedAt }: Edge): boolean =>
      of === meter &&
      percent > (levels.get(window) ?? 0) &&
      // An edge that far ahead was raised before the clock was set back.
      Math.abs(at - raisedAt) >= Math.min(LEAST_OPEN, window)
    this.end(this.edges.filter(isOver))
    this.edges = this.edges.filter((edge) => !isOver(edge))
    const reached = new Map<number, number>()
    for (const { window } of limits) {
      const percent = levels.get(window)!
      const open = this.edges.filter((edge) => edge.meter === meter && edge.window === window)
      if (open.some((edge) => edge.percent >= percent) || percent === 0) continue
      reached.set(window, percent)
      this.edges.push({ meter, window, percent, raisedAt: at })
      this.raised.push({ kind: 'allowance', meter, window, percent })
    }
    return reached
  }

  private end(edges: readonly Edge[]): void {
    for (const { meter, window, percent } of edges) {
      this.raised.push({ kind: 'resolved', meter, window, percent })
    }
  }

  private answer(
    now: number,
    keys: readonly string[],
    meter: Charge['meter'],
    late: boolean,
  ): Answer {
    this.accepted = undefined
    const receipt = this.receipts.get(keys[0]!)
    if (receipt) return receipt.answer
    if (late || this.trips.has(transactionOf(keys[0]!))) return EXPIRED
    if (keys.some((key) => this.receipts.has(key))) return EXPIRED
    if (this.mode === 'off') return { ...EXPIRED, answer: 'OFF' }
    const enforcing = this.mode === 'enforce'
    const scope = enforcing ? this.restricted : undefined
    if (scope === 'all') return { ...EXPIRED, answer: 'RESTRICTED' }
    if (this.registered && meter === 'unregistered') return { ...EXPIRED, answer: 'REGISTERED' }
    const holds = meter === 'unregistered' && this.forwards && this.forwardsOnHost !== 'off'
    if (scope && meter === 'unregistered' && !(holds && this.forwardsOnHost === 'accept')) {
      return { ...EXPIRED, answer: 'RESTRICTED' }
    }
    if (holds) return this.hold(now, keys, enforcing)
    if (this.limitsOf(meter, now).length === 0) return { ...EXPIRED, answer: 'CHARGED' }
    return this.countIn(now, keys, meter)
  }

  private hold(now: number, keys: readonly string[], enforcing: boolean): Answer {
    this.goOn('held', HOLDS_WINDOW, now)
    const { held } = this.count('held', HOLDS_WINDOW, now)
    const counts = { limit: MODEL_HOLDS, window: HOLDS_WINDOW }
    const room = Math.max(MODEL_HOLDS, keys.length)
    if (enforcing && held + keys.length > room) return { answer: 'BUSY', used: held, ...counts }
    const answer: Answer = { answer: 'HELD', used: held + keys.length, ...counts }
    const times = new Map([[HOLDS_WINDOW, this.reach('held', HOLDS_WINDOW, now)]])
    for (const key of keys) {
      const event: Event = { key, meter: 'held', times, passed: this.clock.passed }
      this.events.push(event)
      this.receipts.set(key, { answer, event })
    }
    return answer
  }

  /** Recipients that only the limits of the meter apply to. */
  private countIn(
    now: number,
    keys: readonly string[],
    meter: Meter,
    enforcing = this.mode === 'enforce',
  ): Answer {
    const limits = this.limitsOf(meter, now)
    for (const { window } of limits) this.goOn(meter, window, now)
    const reached = limits.filter(
      ({ window, count }) => this.count(meter, window, now).held + keys.length > count,
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
      if (this.restricted) return { ...EXPIRED, answer: 'RESTRICTED' }
      const answer = reply('TRIPPED', over)
      this.restricted = 'unregistered'
      this.raised.push({
        kind: 'restricted',
        probation: meter === 'unregistered' && this.isOnProbation(now),
      })
      for (const key of keys) this.replace(key, { answer, event: undefined })
      return answer
    }
    if (meter !== 'null' && over && this.mode !== 'enforce') this.wouldTrip = true

    const left = ({ window, count }: Limit): number => count - this.count(meter, window, now).held
    const [first, ...others] = limits
    const tightest = others.reduce((best, each) => (left(each) < left(best!) ? each : best), first)
    const word = meter === 'forwarded' ? 'FORWARDED' : 'CHARGED'
    const answer = tightest
      ? reply(word, tightest, keys.length)
      : { answer: word as Answer['answer'], used: 0, limit: 0, window: 0 }
    const times = new Map(limits.map(({ window }) => [window, this.reach(meter, window, now)]))
    const { passed } = this.clock
    for (const key of keys) this.replace(key, { answer, event: { key, meter, times, passed } })
    this.accepted = { meter, limits, at: now, enforcing }
    return answer
  }

  /** Replaces a receipt, and its counted or held recipient. */
  private replace(key: string, receipt: Receipt | undefined): void {
    const before = this.receipts.get(key)?.event
    this.events = this.events.filter((each) => each !== before)
    if (receipt?.event) this.events.push(receipt.event)
    if (receipt) this.receipts.set(key, receipt)
    else this.receipts.delete(key)
  }

  /** Forgets a transaction, as after its receipts have expired. */
  forget(transaction: number): void {
    for (const key of this.receipts.keys()) {
      if (key.startsWith(`${transaction}/`)) this.receipts.delete(key)
    }
    this.trips.delete(`${transaction}`)
  }

  /** @param signatures the signatures that had proven them. */
  refund(keys: readonly string[], signatures: readonly string[]): number {
    let refunded = 0
    let forwarded = 0
    for (const key of keys) {
      const receipt = this.receipts.get(key)
      const answer = receipt?.answer.answer
      if (receipt && answer !== 'CHARGED' && answer !== 'HELD' && answer !== 'FORWARDED') continue
      if (!receipt && this.trips.has(transactionOf(key))) continue
      if (answer === 'FORWARDED') forwarded++
      this.receipts.set(key, { answer: EXPIRED, event: undefined })
      const { event } = receipt ?? {}
      if (!event || !this.events.includes(event)) continue
      refunded++
      this.events = this.events.filter((each) => each !== event)
    }
    for (const each of signatures) {
      const proven = this.proven.get(each)
      if (proven !== undefined) this.proven.set(each, Math.max(0, proven - forwarded))
    }
    return refunded
  }

  /** Recipients that are held. */
  held(now: number): number {
    return this.count('held', HOLDS_WINDOW, now).held
  }

  /** Forgets a signature, as after its count has expired. */
  forgetSignature(signature: string): void {
    this.proven.delete(signature)
  }

  /**
   * How many events a window holds: at `least` those since the clock went forward by its length, also if it went back
   * meanwhile; at `most` those within its length and the current bucket.
   *
   * @param readAt the moment from which the time of the window goes on to `now`.
   */
  count(
    meter: Counter,
    window: number,
    now: number,
    readAt = now,
  ): { held: number; least: number; most: number } {
    const time = this.timeIn(meter, window, now, readAt)
    const events = this.events.filter((event) => event.meter === meter && event.times.has(window))
    const times = events.map((event) => event.times.get(window)!)
    return {
      held: times.filter((each) => bucketOf(each, window) > bucketOf(time, window) - 61).length,
      least: events.filter(({ passed }) => passed >= this.clock.passed - window).length,
      most: times.filter((each) => each > time - 61 * widthOf(window)).length,
    }
  }

  /** Checks that the last accepted recipients stay within every limit, in the interval that ends with them. */
  assertNeverOver(meter: Meter): void {
    if (!this.accepted?.enforcing || this.accepted.meter !== meter) return
    for (const { window, count } of this.accepted.limits) {
      const { least } = this.count(meter, window, this.accepted.at)
      assert.ok(least <= count, `${least} of ${count} in ${window} ms`)
    }
  }

  private timeIn(meter: Counter, window: number, now: number, readAt = now): number {
    const known = this.windowTimes.get(`${meter} ${window}`)
    if (!known) return now
    const { latest, ahead } = goneOn(known, window, readAt)
    return Math.max(now + ahead, latest)
  }

  /** Moves the time of a window, also where it counts nothing. */
  private goOn(meter: Counter, window: number, now: number): void {
    const known = this.windowTimes.get(`${meter} ${window}`)
    if (known) this.windowTimes.set(`${meter} ${window}`, goneOn(known, window, now))
  }

  /** The time at which a window counts. */
  private reach(meter: Counter, window: number, now: number): number {
    const latest = this.timeIn(meter, window, now)
    const { ahead = 0 } = this.windowTimes.get(`${meter} ${window}`) ?? {}
    this.windowTimes.set(`${meter} ${window}`, { latest, ahead })
    return latest
  }
}

function transactionOf(key: string): string {
  return key.slice(0, key.indexOf('/'))
}

/** Where the clock went back by more than the window, its time goes on from the latest moment plus one bucket. */
function goneOn(time: WindowTime, window: number, now: number): WindowTime {
  const newest = bucketOf(time.latest, window)
  if (bucketOf(now + time.ahead, window) > newest - 61) return time
  return { ...time, ahead: (newest - bucketOf(now, window) - 1) * widthOf(window) }
}

function bucketOf(time: number, window: number): number {
  return Math.floor(time / widthOf(window))
}

function widthOf(window: number): number {
  return Math.ceil(window / 60)
}
