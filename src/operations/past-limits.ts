import { setTimeout as sleep } from 'node:timers/promises'
import { defaultLimits, type Ledger, type UsageDefaults } from '../allowance/ledger'
import { mapLimited } from '../base/limiter'
import { parseLimits, type Limits } from '../mail/limits'
import { METER_NAMES, METERS, type LimitsField } from '../mail/meters'
import { scanSet } from '../store/scan'
import type { Store } from '../store/store'

/** Tenants whose meters are read at a time. */
const AT_ONCE = 20
/** Pause between two batches of tenants, in ms: reading many must not keep Redis or this process from mail. */
const PAUSE = 500

/** Where the meters of tenants are read. */
interface Meters {
  readonly store: Store
  readonly ledger: Ledger
}

type OwnLimits = Readonly<Partial<Record<LimitsField, string | null | undefined>>>

/**
 * Which tenants have reached a limit that they get, or have got: the next recipient is past it. Without restricted ones.
 *
 * @param limits those that each tenant is to have, as far as they change; `null`: the default.
 */
export async function pastNewLimits(
  { store, ledger }: Meters,
  limits: ReadonlyMap<string, OwnLimits>,
  defaults: UsageDefaults,
): Promise<string[]> {
  const found = await mapLimited([...limits], AT_ONCE, async ([id, own]) => {
    if (!(await isPast({ store, ledger }, id, own, defaults))) return []
    return [id]
  })
  return found.flat().sort()
}

/**
 * How many tenants have reached a default limit. Reads all tenants in the background, with pauses: 100,000 take a minute.
 *
 * @param fields those of a tenant that override the limits in question.
 * @param isCurrent ends it early.
 */
export async function countPastDefaults(
  { store, ledger }: Meters,
  fields: readonly LimitsField[],
  defaults: UsageDefaults,
  isCurrent: () => boolean,
): Promise<number> {
  const { client, keys } = store
  const seen = new Set<string>()
  for await (const ids of scanSet(store, keys.tenants)) {
    const past = await mapLimited(ids, AT_ONCE, async (id) => {
      const own = await client.hmget(keys.tenant(id), ...fields)
      const byDefault = fields.filter((_, at) => own[at] === null)
      if (byDefault.length === 0) return false
      const changed = Object.fromEntries(byDefault.map((field) => [field, null]))
      return isPast({ store, ledger }, id, changed, defaults)
    })
    ids.forEach((id, at) => past[at] && seen.add(id))
    if (!isCurrent()) break
    await sleep(PAUSE, undefined, { ref: false })
  }
  return seen.size
}

/** The default limits that are lower than before, by the field of a tenant that overrides them. */
export function loweredDefaults(before: UsageDefaults, now: UsageDefaults): LimitsField[] {
  return METER_NAMES.filter((meter) => {
    const [were, are] = [before, now].map((each) => parsed(defaultLimits(each, meter)))
    return are!.some(({ window, count }) =>
      were!.some((each) => each.window === window && count < each.count),
    )
  }).map((meter) => METERS[meter].limitsField)
}

async function isPast(
  { store, ledger }: Meters,
  id: string,
  own: OwnLimits,
  defaults: UsageDefaults,
): Promise<boolean> {
  const usage = await ledger.usage(id, defaults)
  if (!usage || (await store.client.exists(store.keys.restriction(id))) === 1) return false
  return METER_NAMES.some((meter) => {
    const limits = own[METERS[meter].limitsField]
    // Those for some time stay in effect.
    if (limits === undefined || usage.temporary[meter]) return false
    // A window of a new length starts empty.
    return parsed(limits ?? defaultLimits(defaults, meter)).some(({ window, count }) =>
      usage[meter]?.some(
        ({ window: length, used }) => length === window && used > 0 && used >= count,
      ),
    )
  })
}

/** @param text empty: there is no such meter. */
function parsed(text: string): Limits {
  return text === '' ? [] : parseLimits(text)
}
