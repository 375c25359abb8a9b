import type { Snoozed } from '../records/event'
import { SNOOZABLE, snoozeField, type Snoozable } from '../records/snooze'
import { DAY } from '../reporting/calendar'
import { serverTime } from '../store/server-clock'
import type { Store } from '../store/store'

/** The longest snooze, in ms. */
export const LONGEST_SNOOZE = 90 * DAY

/** Alerts of one kind about a tenant that are not delivered until a time. */
export interface Snooze extends Snoozed {
  readonly tenant: string
  readonly kind: Snoozable
  /** One line; not empty. */
  readonly reason: string
}

/**
 * The snoozes of alerts, in one hash. `events/lua/publish.lua` decides by it, when an event comes, whether its alert will be
 * delivered, for all channels and attempts alike; it writes that into the event.
 *
 * Fields: `TENANT<tab>KIND` → `until<tab>by<tab>reason`; and of each event that was snoozed and has not ended its id →
 * `until<tab>by<tab>TENANT`, so that its end is not delivered either. Each event has one end, so their number is bounded.
 */
export class Snoozes {
  constructor(private readonly store: Store) {}

  /** Those in effect, by tenant. */
  async list(): Promise<Snooze[]> {
    const now = await serverTime(this.store.client)
    const all = Object.entries(await this.read()).flatMap(([field, packed]) => {
      const snooze = parse(field, packed)
      return snooze && snooze.until > now ? [snooze] : []
    })
    return all.sort((a, b) => compare(a.tenant, b.tenant) || compare(a.kind, b.kind))
  }

  /**
   * Snoozes alerts for a time, instead of an earlier snooze of the same. Forgets those that are over.
   *
   * @param span ms, {@link LONGEST_SNOOZE} at most.
   */
  async add(given: Omit<Snooze, 'until'>, span: number): Promise<Snooze> {
    const { client, keys } = this.store
    const now = await serverTime(client)
    await this.forget((field, packed) => (parse(field, packed)?.until ?? Infinity) <= now)
    const snooze = { ...given, until: now + span }
    const { tenant, kind, until, by, reason } = snooze
    await client.hset(keys.snoozed, snoozeField(tenant, kind), [until, by, reason].join('\t'))
    return snooze
  }

  /**
   * Ends snoozes of a tenant. What was snoozed is not delivered later.
   *
   * @param kinds whose alerts are delivered again.
   * @returns those that it has ended.
   */
  async end(tenant: string, kinds: readonly Snoozable[] = SNOOZABLE): Promise<Snooze[]> {
    const { client, keys } = this.store
    const ended = (await this.list()).filter(
      (each) => each.tenant === tenant && kinds.includes(each.kind),
    )
    await client.hdel(keys.snoozed, ...kinds.map((kind) => snoozeField(tenant, kind)))
    return ended
  }

  /** Forgets all about a purged tenant. */
  async purge(tenant: string): Promise<void> {
    await this.forget((field, packed) => tenantOf(field, packed) === tenant)
  }

  private async forget(isMeant: (field: string, packed: string) => boolean): Promise<void> {
    const { client, keys } = this.store
    const fields = Object.entries(await this.read())
      .filter((each) => isMeant(...each))
      .map(([field]) => field)
    if (fields.length > 0) await client.hdel(keys.snoozed, ...fields)
  }

  private read(): Promise<Record<string, string>> {
    return this.store.client.hgetall(this.store.keys.snoozed)
  }
}

/** `undefined`: it is an event that was snoozed. */
function parse(field: string, packed: string): Snooze | undefined {
  const [tenant, kind] = field.split('\t') as [string, Snoozable | undefined]
  if (kind === undefined) return undefined
  const [until, by = '', reason = ''] = packed.split('\t')
  return { tenant, kind, until: Number(until), by, reason }
}

function tenantOf(field: string, packed: string): string | undefined {
  return parse(field, packed)?.tenant ?? packed.split('\t')[2]
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b)
}
