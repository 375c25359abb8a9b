import type { AllowanceSettings } from '../allowance/settings'
import { mapLimited } from '../base/limiter'
import { toPause, withPause } from '../enforcement/in-effect'
import { pauseInEffect, readPause, type PauseRead } from '../enforcement/pause'
import { CLASSES } from '../mail/classes'
import { USUAL_METER } from '../mail/meters'
import type { Mark } from '../records/token'
import { TenantRegistry } from '../registry/tenant-registry'
import { HOUR, MINUTE, startOf } from '../reporting/calendar'
import type { MinuteRow } from '../reporting/minutes'
import { PACE_SPAN, paceOf, type Pace } from '../reporting/pace'
import { ReportReader } from '../reporting/reader'
import { readShares, sharesOf, type Share, type Shares } from '../reporting/shares'
import { serverTime } from '../store/server-clock'
import type { Store } from '../store/store'
import { StatusReader, type TenantStatus } from './status'

/** A tenant is active for so long after its last mail that is not registered, in ms. */
export const ACTIVE_FOR = 5 * MINUTE
/** Sources are those of this hour, and of the hour before while this one is younger, in ms. */
const FEW_MINUTES = 10 * MINUTE
/** Active tenants of which one refresh reads the minutes: those whose mail is the newest. */
const MOST_READ = 500
/** Active tenants that are kept in memory; those read longest ago go first. */
const MOST_KNOWN = 5000
/** Tenants of which one refresh reads the meters: those with most recipients a minute. */
const MOST_SHOWN = 50
/** Tenants read concurrently. */
const PLACES = 50

/** The state of a tenant in one word. */
export type State = 'restricted' | 'probation' | 'near_limit' | 'ok'

/** What a tenant does now. Its meters are exact; the rest is up to five seconds old, by when its mail is recorded. */
export interface TenantNow {
  readonly status: TenantStatus
  readonly state: State
  readonly pace: Pace
}

/** An active tenant in the list. */
export interface TopTenant extends TenantNow {
  /** The domain with most of its recipients in this hour, or in the last one if that has just begun. */
  readonly domain: Share | undefined
}

/** The active tenants with most unregistered recipients a minute. */
export interface Top {
  /** ms of Redis's clock. */
  readonly at: number
  readonly pause: PauseRead
  /** All restricted tenants, active or not. */
  readonly restricted: number
  /** Tenants with mail that is not registered within {@link ACTIVE_FOR}. */
  readonly active: number
  /** Active tenants that no filter leaves out, and that `tenants` does not hold. */
  readonly notShown: number
  /** The most recipients a minute first. */
  readonly tenants: readonly TopTenant[]
}

/** One tenant and its sources. */
export interface SourcesNow extends TenantNow {
  /** ms of Redis's clock. */
  readonly at: number
  /** The sources are those of mail since then, in ms. */
  readonly since: number
  readonly shares: Shares
}

/** What has been read of an active tenant. It changes only when the index names a later mail. */
interface Known {
  /** When its last mail was recorded, in ms. */
  readonly last: number
  readonly minutes: readonly MinuteRow[]
  /** Read only when it is among the first ones. */
  domain?: { readonly of: Share | undefined }
}

/**
 * Reads what goes on now. One refresh costs Redis the same whether there are ten tenants or 100,000: it asks the index of
 * tenants for those with mail in the last minutes, and reads a bounded number of them. To be kept from one refresh to the
 * next: what has not changed since is not read again.
 */
export class TopReader {
  private readonly known = new Map<string, Known>()
  private statuses: StatusReader
  /** Of the pause that {@link statuses} know; `undefined`: there is none. */
  private paused: Mark | undefined
  private readonly tenants: TenantRegistry
  private readonly reports: ReportReader

  /** @param commandTimeout how long Redis may take for a tenant, in ms. */
  constructor(
    private readonly store: Store,
    private readonly config: AllowanceSettings,
    private readonly commandTimeout: number,
  ) {
    this.statuses = new StatusReader(store, config, commandTimeout)
    this.tenants = new TenantRegistry(store)
    this.reports = new ReportReader(store)
  }

  /**
   * @param filter only tenants whose id contains it.
   * @throws where Redis gave no answer.
   */
  async list(filter = ''): Promise<Top> {
    const { client, keys } = this.store
    const { now, pause } = await this.moment()
    const since = now - ACTIVE_FOR
    const [active, restricted] = await Promise.all([
      client.zcount(keys.reported, since, '+inf'),
      client.scard(keys.restricted),
    ])
    await this.learn(now, since)
    const ids = [...this.known.keys()].filter((id) => id.includes(filter))
    const first = ids
      .map((id) => ({ id, pace: paceOf(this.known.get(id)!.minutes, now) }))
      .sort((a, b) => b.pace.unregistered - a.pace.unregistered || (a.id < b.id ? -1 : 1))
      .slice(0, MOST_SHOWN)
    const tenants = await mapLimited(first, PLACES, async ({ id, pace }) => {
      const [status, domain] = await Promise.all([this.statusOf(id), this.domainOf(id, now)])
      return status && { status, state: this.stateOf(status), pace, domain }
    })
    const shown = tenants.filter((tenant) => tenant !== undefined)
    const passing = filter === '' ? active : ids.length
    return {
      ...{ at: now, pause, restricted, active },
      notShown: Math.max(0, passing - shown.length),
      tenants: shown,
    }
  }

  /**
   * The sources of one tenant.
   *
   * @returns `undefined`: no such tenant.
   * @throws where Redis gave no answer.
   */
  async sources(id: string): Promise<SourcesNow | undefined> {
    const { now } = await this.moment()
    const since = sourcesFrom(now)
    const [status, minutes, shares] = await Promise.all([
      this.statusOf(id),
      this.reports.minutes(id, now - PACE_SPAN, now + 1),
      readShares(this.reports, id, since, now + 1),
    ])
    if (!status) return undefined
    const pace = paceOf(minutes, now)
    return { at: now, since, status, state: this.stateOf(status), pace, shares }
  }

  /** The time, and the pause, which decides the mode in effect. */
  private async moment(): Promise<{ readonly now: number; readonly pause: PauseRead }> {
    const { store, config, commandTimeout } = this
    const [now, pause] = await Promise.all([serverTime(store.client), readPause(store)])
    const mark = pauseInEffect(pause)?.mark
    if (mark !== this.paused) {
      this.statuses = new StatusReader(store, withPause(config, toPause(pause)), commandTimeout)
      this.paused = mark
    }
    return { now, pause }
  }

  /** Reads the minutes of active tenants that have had mail since the last refresh. */
  private async learn(now: number, since: number): Promise<void> {
    const { client, keys } = this.store
    const range = [keys.reported, '+inf', String(since)] as const
    const newestFirst = ['BYSCORE', 'REV', 'LIMIT', 0, MOST_READ, 'WITHSCORES'] as const
    const found = await client.zrange(...range, ...newestFirst)
    const newest = Array.from(
      { length: found.length / 2 },
      (_, at) => [found[2 * at]!, Number(found[2 * at + 1])] as const,
    )
    for (const [id, { last }] of this.known) if (last < since) this.known.delete(id)
    const changed = newest.filter(([id, last]) => this.known.get(id)?.last !== last)
    await mapLimited(changed, PLACES, async ([id, last]) => {
      const minutes = await this.reports.minutes(id, now - PACE_SPAN, now + 1)
      this.known.delete(id)
      this.known.set(id, { last, minutes })
    })
    for (const id of this.known.keys()) {
      if (this.known.size <= MOST_KNOWN) break
      this.known.delete(id)
    }
  }

  private async domainOf(id: string, now: number): Promise<Share | undefined> {
    const known = this.known.get(id)!
    if (!known.domain) {
      const rows = await this.reports.rows(id, sourcesFrom(now), now + 1, 'hour')
      const counted = rows.filter((row) => CLASSES[row.class].meter === USUAL_METER)
      known.domain = { of: sharesOf(counted).domain[0] }
    }
    return known.domain.of
  }

  private async statusOf(id: string): Promise<TenantStatus | undefined> {
    const tenant = await this.tenants.get(id)
    if (!tenant) return undefined
    const [status] = await this.statuses.all([tenant])
    return status
  }

  private stateOf(status: TenantStatus): State {
    if (status.restriction) return 'restricted'
    if (status.usage.probation) return 'probation'
    return this.statuses.isNear(status) ? 'near_limit' : 'ok'
  }
}

/** Reports keep sources by the hour. */
function sourcesFrom(now: number): number {
  return startOf(now - FEW_MINUTES, HOUR)
}
