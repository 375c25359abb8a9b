import { readBacklogs, type Backlog } from '../../alerts/backlog'
import { HeldContacts } from '../../alerts/held-contacts'
import { channelsInUse } from '../../alerts/in-use'
import { Snoozes } from '../../alerts/snoozes'
import { mapLimited } from '../../base/limiter'
import { COMMAND_TIMEOUT } from '../../cli/kit/store'
import { ORDERS } from '../../cli/views/top-state'
import { firstForecastOf } from '../../operations/status'
import { TopReader, type TopTenant } from '../../operations/top'
import { serverTime } from '../../store/server-clock'
import { OpenRules, type OpenRule } from '../../unusual/open-rules'
import { shared } from '../kit/shared'

/** Rows of each list. */
const MOST = 20

/** The first ones, and how many there are. */
export interface Some<T> {
  readonly first: readonly T[]
  readonly of: number
}

/** Tenants that may be restricted soon; the first one first. */
export interface NearNow extends Some<TopTenant> {
  /** Active tenants that were not looked at. */
  readonly notShown: number
}

export const nearNow = shared(async ({ store, config }): Promise<NearNow> => {
  const { tenants, notShown } = await new TopReader(store, config, COMMAND_TIMEOUT).list()
  const near = tenants
    .filter((each) => each.state !== 'restricted' && isNear(each))
    .sort(ORDERS['restricted in'])
  return { first: near.slice(0, MOST), of: near.length, notShown }
})

function isNear({ state, status }: TopTenant): boolean {
  return state === 'near_limit' || firstForecastOf(status) !== undefined
}

/** Tenants on probation, and until when in ms; the first to end first. */
export const probationNow = shared(async ({ store }): Promise<Some<readonly [string, number]>> => {
  const { client, keys } = store
  const range = [keys.onProbation, await serverTime(client), '+inf'] as const
  const [of, found] = await Promise.all([
    client.zcount(...range),
    client.zrangebyscore(...range, 'WITHSCORES', 'LIMIT', 0, MOST),
  ])
  const first = Array.from(
    { length: found.length / 2 },
    (_, at) => [found[2 * at]!, Number(found[2 * at + 1])] as const,
  )
  return { first, of }
})

/** A rule of unusual mail that holds for a tenant. */
export interface UnusualNow extends OpenRule {
  readonly tenant: string
}

/** Rules that hold; `of` counts tenants. */
export const unusualNow = shared(async ({ store }): Promise<Some<UnusualNow>> => {
  const { client, keys } = store
  const [of, [, tenants]] = await Promise.all([
    client.scard(keys.unusualIndex),
    client.sscan(keys.unusualIndex, '0', 'COUNT', MOST),
  ])
  const open = new OpenRules(store)
  const rules = await mapLimited(tenants.slice(0, MOST), MOST, async (tenant) =>
    (await open.of(tenant)).map((each) => ({ tenant, ...each })),
  )
  return { first: rules.flat().sort((a, b) => b.since - a.since), of }
})

/** What has not been delivered. */
export interface AlertsNow {
  /** Channels for which alerts wait. */
  readonly backlogs: readonly Backlog[]
  /** Contacts that get mail only when a person says so. */
  readonly held: number
  /** Tenants with snoozed alerts. */
  readonly snoozed: number
}

export const alertsNow = shared(async ({ store }): Promise<AlertsNow> => {
  const [backlogs, inUse, held, snoozes] = await Promise.all([
    readBacklogs(store),
    channelsInUse(store),
    new HeldContacts(store).list(),
    new Snoozes(store).list(),
  ])
  return {
    // For one that was switched off alerts wait for ever.
    backlogs: backlogs.filter(
      ({ channel, waiting }) => waiting > 0 && (inUse?.has(channel) ?? true),
    ),
    held: held.length,
    snoozed: new Set(snoozes.map(({ tenant }) => tenant)).size,
  }
})
