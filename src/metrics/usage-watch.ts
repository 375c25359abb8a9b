import { setTimeout as sleep } from 'node:timers/promises'
import { shareOf, type Usage, type WindowUsage } from '../allowance/usage'
import { Ledger, type UsageDefaults } from '../allowance/ledger'
import { METER_NAMES, type Meter } from '../mail/meters'
import { serverTime } from '../store/server-clock'
import type { Store } from '../store/store'

/** Tenants read concurrently, and the pause after them, in ms: reading takes some tenth of the time of Redis. */
const SLICE = 100
const PAUSE = 25
/** Entries of the index read at a time. */
const PAGE = 1000
/** A tenant is named in the index up to this long after the mail, in ms. */
const LATE = 30_000
/** Tenants that are read again in each round without new mail: usage goes down by itself. */
const ROTATED = 200

/** A window of a meter that holds something. */
export interface UsedWindow extends Pick<WindowUsage, 'window' | 'limit' | 'used'> {
  readonly meter: Meter
  readonly ratio: number
}

/**
 * How full the meters of all tenants are, without reading all of them each time. A tenant is read again when it has had mail.
 * Without mail its usage only goes down, so what is known is never too small.
 */
export class UsageWatch {
  /** Tenant → its fullest window, as a share of the limit; the one that was read longest ago comes first. */
  private readonly ratios = new Map<string, number>()
  private readonly due = new Set<string>()
  /** Mail until then is known: in ms, server time. */
  private since = 0
  private readonly ledger: Ledger

  /** @param commandTimeout of the connection, in ms. */
  constructor(
    private readonly store: Store,
    private readonly defaults: UsageDefaults,
    commandTimeout: number,
  ) {
    this.ledger = new Ledger(store, commandTimeout)
  }

  /** Tenants with usage. */
  get size(): number {
    return this.ratios.size
  }

  has(tenant: string): boolean {
    return this.ratios.has(tenant)
  }

  /** How many tenants use at least that share of a limit. */
  countFrom(ratio: number): number {
    let count = 0
    for (const each of this.ratios.values()) if (each >= ratio) count++
    return count
  }

  /** The tenants that use most of a limit, the fullest first; of `among` only, where that is given. */
  fullest(most: number, among?: ReadonlySet<string>): string[] {
    const top: [string, number][] = []
    const consider = (tenant: string, ratio: number): void => {
      if (top.length === most && ratio <= (top.at(-1)?.[1] ?? Infinity)) return
      const at = top.findIndex(([, other]) => other < ratio)
      top.splice(at === -1 ? top.length : at, 0, [tenant, ratio])
      if (top.length > most) top.pop()
    }
    if (among) for (const tenant of among) consider(tenant, this.ratios.get(tenant) ?? 0)
    else for (const [tenant, ratio] of this.ratios) consider(tenant, ratio)
    return top.map(([tenant]) => tenant)
  }

  /**
   * Reads the tenants with mail since the last time, and some others. The first time that is all with any mail.
   *
   * @throws where Redis gave no answer: the next call goes on.
   */
  async refresh(): Promise<void> {
    await this.findDue()
    const oldest = this.ratios.keys()
    for (let at = 0; at < ROTATED; at++) {
      const { value, done } = oldest.next()
      if (done) break
      this.due.add(value)
    }
    for (let slice = this.takeSlice(); slice.length > 0; slice = this.takeSlice()) {
      try {
        await Promise.all(slice.map((tenant) => this.read(tenant)))
      } catch (error) {
        for (const tenant of slice) this.due.add(tenant)
        throw error
      }
      if (this.due.size > 0) await sleep(PAUSE, undefined, { ref: false })
    }
  }

  /** Reads the windows of a tenant. @throws where Redis gave no answer. */
  async read(tenant: string): Promise<readonly UsedWindow[]> {
    const usage = await this.ledger.usage(tenant, this.defaults)
    const windows = usage ? usedWindows(usage) : []
    this.ratios.delete(tenant)
    if (windows.length > 0) this.ratios.set(tenant, Math.max(...windows.map(({ ratio }) => ratio)))
    return windows
  }

  private async findDue(): Promise<void> {
    const { client, keys } = this.store
    const now = await serverTime(client)
    let from = this.since
    for (let skip = 0; ;) {
      const page = await client.zrangebyscore(
        ...([keys.reported, from, '+inf', 'WITHSCORES', 'LIMIT', skip, PAGE] as const),
      )
      for (let at = 0; at < page.length; at += 2) this.due.add(page[at]!)
      if (page.length < 2 * PAGE) break
      // The next page begins with those of the same ms.
      const last = page.at(-1)!
      const same = page.filter((value, at) => at % 2 === 1 && value === last).length
      skip = Number(last) === from ? skip + same : same
      from = Number(last)
    }
    this.since = now - LATE
  }

  private takeSlice(): string[] {
    const slice: string[] = []
    for (const tenant of this.due) {
      if (slice.length === SLICE) break
      slice.push(tenant)
    }
    for (const tenant of slice) this.due.delete(tenant)
    return slice
  }
}

function usedWindows(usage: Usage): UsedWindow[] {
  return METER_NAMES.flatMap((meter) =>
    (usage[meter] ?? [])
      .filter(({ used }) => used > 0)
      .map((each) => {
        const { window, limit, used } = each
        return { meter, window, limit, used, ratio: shareOf(each) }
      }),
  )
}
