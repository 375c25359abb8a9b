import type { MainSettings } from '../mail/settings'
import type { UnusualConfig } from './settings'
import type { Duty } from '../base/duty'
import { DAY, HOUR } from '../reporting/calendar'
import { mapLimited } from '../base/limiter'
import type { Store } from '../store/store'
import { HistoryReader, type Moment } from './history-reader'
import { OpenRules } from './open-rules'
import { findUnusual } from './rules'

/** Most tenants checked in one run; the others wait for the next, those that wait longest first. */
const MOST = 2000
/** Tenants checked concurrently. */
const BATCH = 4
/** Tenants read in one command. */
const PAGE = 1000
/** How long after a restriction a tenant is checked even without unregistered mail. */
const AFTER_RESTRICTION = 3 * HOUR
/** How much older than the last run mail may be that was recorded late, after Redis was away, in ms. */
const LATE = 10 * 60_000

/** Time between runs, in ms. */
const EVERY = 5 * 60_000

/** Checks regularly which rules of unusual mail hold for which tenants, and raises events. */
export class UnusualMonitor implements Duty {
  readonly name = 'unusual mail'
  readonly every = EVERY
  private readonly open: OpenRules
  /** Tenants to check, in the order of arrival. */
  private readonly waiting = new Set<string>()
  /** Tenants with mail until then are in `waiting`, or checked. ms, server time */
  private noted: number | undefined
  private stopped = false

  /**
   * @param config called in each run, since it may change.
   * @param onEvents called for each tenant with events that wait for the stream.
   */
  constructor(
    private readonly store: Store,
    private readonly config: () => UnusualConfig & { readonly main: MainSettings },
    private readonly onEvents: (tenant: string) => void,
  ) {
    this.open = new OpenRules(store)
  }

  /**
   * Checks the tenants with other mail than registered since the last run, with a recent restriction, or with an open rule.
   * Several processes may run it at once.
   *
   * @throws where Redis gave no answer; the next run continues.
   */
  async run(): Promise<void> {
    const config = this.config()
    if (config.main.mode === 'off' || config.main.override === 'off') return
    const reader = new HistoryReader(this.store, config)
    const moment = await this.begin(reader)
    await this.note(moment)
    const due = [...this.waiting].slice(0, MOST)
    const errors: unknown[] = []
    await mapLimited(due, BATCH, async (tenant) => {
      if (this.stopped || errors.length > 0) return
      this.waiting.delete(tenant)
      try {
        await this.look(reader, tenant, moment)
      } catch (error) {
        // At the end, so that one unreadable tenant does not block the others.
        this.waiting.add(tenant)
        errors.push(error)
      }
    })
    if (errors.length > 0) throw errors[0]
  }

  /** Ends a current run after the tenants that it is checking. */
  stop(): void {
    this.stopped = true
  }

  /** The very first run notes when recording began. */
  private async begin(reader: HistoryReader): Promise<Moment> {
    const moment = await reader.moment()
    await this.store.client.set(this.store.keys.recordedSince, moment.now, 'NX')
    return moment
  }

  private async note({ now, restrictions }: Moment): Promise<void> {
    const { client, keys } = this.store
    // min: the clock may have been set back.
    const since = this.noted === undefined ? now - DAY : Math.min(this.noted, now) - LATE
    for (let at = 0; ; at += PAGE) {
      const page = await client.zrangebyscore(keys.reported, since, '+inf', 'LIMIT', at, PAGE)
      for (const tenant of page) this.waiting.add(tenant)
      if (page.length < PAGE) break
    }
    for (const [tenant, times] of restrictions) {
      if (times.some((at) => at > now - AFTER_RESTRICTION)) this.waiting.add(tenant)
    }
    for (const tenant of await this.open.tenants()) this.waiting.add(tenant)
    this.noted = now
  }

  private async look(reader: HistoryReader, tenant: string, moment: Moment): Promise<void> {
    const { unusual } = this.config()
    const history = await reader.read(tenant, moment)
    const findings = history ? findUnusual(history, unusual) : []
    if (findings.length === 0 && !(await this.open.has(tenant))) return
    if ((await this.open.update(tenant, findings)) > 0) this.onEvents(tenant)
  }
}
