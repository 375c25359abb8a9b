import { defaultsOf } from '../allowance/defaults'
import { Ledger } from '../allowance/ledger'
import { modeFacts, Restrictions } from '../allowance/restriction'
import type { AllowanceSettings } from '../allowance/settings'
import { mapLimited } from '../base/limiter'
import { RESTRICTING } from '../mail/meters'
import { modeInEffect } from '../mail/mode'
import { TenantRegistry } from '../registry/tenant-registry'
import type { Store } from '../store/store'

/** Tenants that are looked at: those whose last unregistered mail is latest. */
const MOST = 10_000
/** Of these at the same time. */
const AT_ONCE = 100

/** Who would be restricted by the next recipient. */
export interface AtLimit {
  /** Sorted. */
  readonly tenants: readonly string[]
  /** How many have been looked at, of how many with unregistered mail in the reports. */
  readonly looked: number
  readonly of: number
}

/**
 * Finds the tenants that would be restricted by their next unregistered recipient, among those with recent mail.
 *
 * @param settings without a pause.
 * @param commandTimeout in ms.
 * @throws where Redis gave no answer.
 */
export async function tenantsAtLimit(
  store: Store,
  settings: AllowanceSettings,
  commandTimeout: number,
  most = MOST,
): Promise<AtLimit> {
  const { client, keys } = store
  const [of, latest] = await Promise.all([
    client.zcard(keys.reported),
    client.zrange(keys.reported, '+inf', '-inf', 'BYSCORE', 'REV', 'LIMIT', 0, most),
  ])
  const ledger = new Ledger(store, commandTimeout)
  const [registry, restrictions] = [new TenantRegistry(store), new Restrictions(store)]
  const defaults = defaultsOf(settings)

  const isAtLimit = async (id: string): Promise<boolean> => {
    const usage = await ledger.usage(id, defaults)
    const isFull = RESTRICTING.some((meter) => {
      const forecast = usage?.forecasts[meter]
      return forecast && forecast.at <= usage.at
    })
    if (!isFull) return false
    const [tenant, restriction] = await Promise.all([registry.get(id), restrictions.get(id)])
    if (!tenant || restriction) return false
    return modeInEffect(settings.main, modeFacts(tenant.mode, undefined)) === 'enforce'
  }
  const found = await mapLimited(latest, AT_ONCE, async (id) => ((await isAtLimit(id)) ? [id] : []))
  return { tenants: found.flat().sort(), looked: latest.length, of }
}
