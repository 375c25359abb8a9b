import { setTimeout as sleep } from 'node:timers/promises'
import { runSession, type Step } from '../smtp-session'
import { within } from '../../src/base/deadline'
import { Tally, type ErrandKind } from './tally'

/** One of the sessions, and what it sends. */
export interface Seat {
  /** Address to come from. */
  readonly ip: string
  /** What it sends next. */
  readonly next: () => Errand
}

/** What a session sends in one go: a message, maybe after an attempt that is refused. */
export interface Errand {
  readonly script: readonly Step[]
  /** What it is counted under, once all of it has been answered as expected. */
  readonly kind: ErrandKind
  readonly tenant: string
}

/** A time in which they work. */
interface Slice {
  /** ms, as `performance.now()` */
  readonly until: number
  /** ms between two errands of one session; `undefined`: as soon as the last one is done. */
  readonly period: number | undefined
  readonly tally: Tally
}

/** Then it says QUIT, and comes back: what a server keeps of sessions that have ended would show, too. */
const ERRANDS_A_SESSION = 50
/** ms: no answer may take so long, or the crew gives up. */
const PATIENCE = 30_000
/** A server that answers all otherwise than expected is to be told of once. */
const MOST_FAILURES = 100

/** Sessions that stay open, and work when they are told to. */
export class Crew {
  /** What went otherwise than expected. */
  readonly failures: string[] = []
  /** Errands that were done, all told, by tenant and kind. */
  readonly done = new Map<string, number>()
  readonly #parked: (() => void)[] = []
  readonly #running: Promise<void>[]
  #slice: Slice | undefined
  #closed = false
  /** Ends the wait for all to be parked: they are, or there is nothing to wait for any more. */
  #wake: (() => void) | undefined

  constructor(
    private readonly port: number,
    private readonly seats: readonly Seat[],
  ) {
    this.#running = seats.map((seat, number) => this.#occupy(seat, number))
  }

  /**
   * All work for so long: each sends its next errand as soon as the last one is done, or all together so many a
   * second, however long the answers take.
   *
   * @throws Error where a session gets no answer any more, or too many have failed
   */
  async work(ms: number, perSecond?: number): Promise<Tally> {
    await this.#idle()
    const begin = performance.now()
    const tally = new Tally(ms)
    const period = perSecond === undefined ? undefined : (1_000 * this.seats.length) / perSecond
    this.#slice = { until: begin + ms, period, tally }
    for (const goOn of this.#parked.splice(0)) goOn()
    await this.#idle()
    return tally
  }

  /** Ends all sessions with QUIT. */
  async close(): Promise<void> {
    this.#closed = true
    for (const goOn of this.#parked.splice(0)) goOn()
    await Promise.all(this.#running)
  }

  /** One session after the other, until the crew is closed. */
  async #occupy(seat: Seat, number: number): Promise<void> {
    const { port } = this
    const onDecision = (ms: number, to: Step): void => this.#slice?.tally.answered(ms, to)
    const turnOf = this.#turns(number)
    while (!this.#closed) {
      const next = this.#session(seat, turnOf)
      await runSession({ port, ip: seat.ip, next, onDecision }).catch((error: Error) => {
        this.failures.push(error.message)
        if (this.failures.length < MOST_FAILURES) return
        this.#closed = true
        this.#wake?.()
      })
    }
  }

  /** What one session says next, again and again. */
  #session(seat: Seat, turnOf: (slice: Slice) => number) {
    let errand: Errand | undefined
    let errands = 0
    const take = (): readonly Step[] => {
      errands++
      errand = seat.next()
      return errand.script
    }
    const next = (): readonly Step[] | undefined | Promise<readonly Step[] | undefined> => {
      if (errand) this.#count(errand)
      errand = undefined
      if (this.#closed || errands === ERRANDS_A_SESSION) return undefined
      const slice = this.#slice
      const now = performance.now()
      if (!slice || now >= slice.until) return this.#park().then(next)
      const turn = turnOf(slice)
      if (turn >= slice.until) return this.#park().then(next)
      return turn <= now ? take() : sleep(turn - now).then(take)
    }
    return next
  }

  /** When the session in this seat sends next: in even distances over all seats; who is late makes up for it. */
  #turns(number: number): (slice: Slice) => number {
    let current: Slice | undefined
    let turns = 0
    return (slice) => {
      if (slice.period === undefined) return 0
      if (slice !== current) turns = 0
      current = slice
      const begin = slice.until - slice.tally.ms
      return begin + (number / this.seats.length + turns++) * slice.period
    }
  }

  #count({ kind, tenant }: Errand): void {
    const key = `${tenant} ${kind}`
    this.done.set(key, (this.done.get(key) ?? 0) + 1)
    // What ends behind the slice is not what it brought.
    if (this.#slice && performance.now() < this.#slice.until) this.#slice.tally.count(kind)
  }

  #park(): Promise<void> {
    return new Promise((resolve) => {
      this.#parked.push(resolve)
      if (this.#parked.length === this.seats.length) this.#wake?.()
    })
  }

  async #idle(): Promise<void> {
    if (this.#parked.length === this.seats.length) return
    const woken = new Promise<void>((resolve) => (this.#wake = resolve))
    if (!this.#closed) {
      await within(PATIENCE, woken).catch(() => {
        const waiting = this.seats.length - this.#parked.length
        const why = this.failures.length > 0 ? `: ${this.failures[0]}` : ''
        throw new Error(`${waiting} sessions on port ${this.port} have no answer${why}`)
      })
    }
    if (!this.#closed) return
    throw new Error(
      `${this.failures.length} sessions on port ${this.port} have failed, so all end: ${this.failures[0]}`,
    )
  }
}
