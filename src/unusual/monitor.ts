import type { MainSettings } from '../mail/settings'
import type { UnusualConfig } from './settings'
import type { Duty } from '../base/duty'
import { DAY, HOUR } from '../reporting/calendar'
import { mapLimited } from '../base/limiter'
import type { Store } from '../store/store'
import { HistoryReader, type Moment } from './history-reader'
import { OpenRules } from './open-rules'
import { findUnusual } from './rules'

/** Tenants looked at in one run at most; the others wait for the next one, those that wait longest first. */
const MOST = 2000
/** Tenants looked at at the same time. */
const BATCH = 4
/** Tenants asked for in one command. */
const PAGE = 1000
/** For so long after a restriction a tenant is looked at though it sends no unregistered mail. */
const AFTER_RESTRICTION = 3 * HOUR
/** What is recorded late, because Redis was away, is older than the last run, in ms. */
const LATE = 10 * 60_000

/** How often it is looked, in ms. */
const EVERY = 5 * 60_000

/** Looks now and then whether a rule of unusual mail begins to hold for a tenant, and tells of it. */
export class UnusualMonitor implements Duty {
  readonly name = 'unusual mail'
  readonly every = EVERY
  private readonly open: OpenRules
  /** In the order in which they came. */
  private readonly waiting = new Set<string>()
  /** Tenants with mail until then, in ms of server time, have been noted. */
  private noted: number | undefined
  private stopped = false

  /**
   * @param config asked for at each run, since it may change.
   * @param onEvents is told of each tenant for which events wait to be put into the stream.
   */
  constructor(
    private readonly store: Store,
    private readonly config: () => UnusualConfig & { readonly main: MainSettings },
    private readonly onEvents: (tenant: string) => void,
  ) {
    this.open = new OpenRules(store)
  }

  /**
   * Looks at the tenants that had other mail than registered since the last run, or were restricted lately, and at those for which
   * a rule holds. Several processes may do it at once.
   *
   * @throws where Redis gave no answer: then the next run goes on.
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
        // Behind the others, lest one that cannot be read keeps them from their turn.
        this.waiting.add(tenant)
        errors.push(error)
      }
    })
    if (errors.length > 0) throw errors[0]
  }

  /** A run that is under way ends after the tenants that it looks at. */
  stop(): void {
    this.stopped = true
  }

  /** From the first run of all on, mail is recorded: what was sent before that is not known. */
  private async begin(reader: HistoryReader): Promise<Moment> {
    const moment = await reader.moment()
    await this.store.client.set(this.store.keys.recordedSince, moment.now, 'NX')
    return moment
  }

  private async note({ now, restrictions }: Moment): Promise<void> {
    const { client, keys } = this.store
    // Not what a clock that was set back said.
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
    if ((await this.open.tell(tenant, findings)) > 0) this.onEvents(tenant)
  }
}
