import type { AllowanceSettings } from '../allowance/settings'
import type { Usage, WindowUsage } from '../allowance/usage'
import { tenantctl } from '../base/command-line'
import { InputError, RefusedError } from '../base/errors'
import { METER_NAMES, METERS, separated, type LimitsField, type Meter } from '../mail/meters'
import type { Mode } from '../mail/mode'
import { formatTemporary, temporaryField, type TemporaryField } from '../mail/temporary'
import type { Tenant } from '../mail/tenant'
import { TenantRegistry, type TenantSettings } from '../registry/tenant-registry'
import { serverTime } from '../store/server-clock'
import type { Store } from '../store/store'
import { StatusReader, type MeterWindow } from './status'
import { existingTenant } from './tenants'

const SECOND = 1000
/** How long limits can be given for, in ms. */
const SHORTEST = 60 * SECOND
const LONGEST = 90 * 86_400 * SECOND

/** The result of {@link setTenant} and {@link setLimitsFor}. */
export interface TenantSet {
  readonly result: 'changed' | 'unchanged'
  /** The mode in effect. */
  readonly mode: Mode
  /** The full window of each meter whose limits were given: the next recipient restricts the tenant, or is deferred. */
  readonly full: readonly MeterWindow[]
  /** All limits in effect for some time. */
  readonly temporary: Usage['temporary']
}

/** What is needed to read the meters. */
export interface MeterReading {
  readonly config: AllowanceSettings
  /** How long Redis may take, in ms. */
  readonly timeout: number
}

/**
 * Changes settings of a tenant. Limits that were given for some time end where the usual ones of their meter are set.
 *
 * @throws {InputError} a bad setting.
 * @throws {NotFoundError} no such tenant.
 */
export function setTenant(
  store: Store,
  id: string,
  settings: TenantSettings,
  reading: MeterReading,
): Promise<TenantSet> {
  const given = metersIn(settings)
  const fields = given.map((meter) => [temporaryField(METERS[meter].limitsField), null])
  const ended = Object.fromEntries(fields) as Record<TemporaryField, null>
  return set(store, id, { ...settings, ...ended }, given, reading)
}

/**
 * Gives a tenant other limits for some time, in place of those that it has; then these apply again by themselves.
 *
 * @param duration ms; 1 minute to 90 days.
 * @throws {InputError} bad limits, or a bad duration.
 * @throws {NotFoundError} no such tenant.
 * @throws {RefusedError} the tenant has no such meter.
 */
export async function setLimitsFor(
  store: Store,
  id: string,
  limits: Readonly<Partial<Record<LimitsField, string>>>,
  duration: number,
  reading: MeterReading,
): Promise<TenantSet> {
  if (duration < SHORTEST || duration > LONGEST) {
    throw new InputError('limits can be given for 1m to 90d')
  }
  const tenant = await existingTenant(store, id)
  const given = metersIn(limits)
  for (const meter of given) assertHasMeter(tenant, meter)
  const now = await serverTime(store.client)
  const until = Math.ceil((now + duration) / SECOND) * SECOND
  const fields = given.map((meter) => {
    const { limitsField } = METERS[meter]
    return [temporaryField(limitsField), formatTemporary({ limits: limits[limitsField]!, until })]
  })
  const settings = Object.fromEntries(fields) as Record<TemporaryField, string>
  return set(store, id, settings, given, reading)
}

async function set(
  store: Store,
  id: string,
  settings: TenantSettings,
  given: readonly Meter[],
  { config, timeout }: MeterReading,
): Promise<TenantSet> {
  const result = await new TenantRegistry(store).set(id, settings)
  const tenant = await existingTenant(store, id)
  const { mode, restriction, usage } = await new StatusReader(store, config, timeout).one(tenant)
  const counts = mode !== 'off' && !restriction
  return {
    ...{ result, mode, temporary: usage.temporary },
    full: counts ? given.flatMap((meter) => fullWindow(meter, usage[meter])) : [],
  }
}

/** Where several are full, one that restricts rather than one that defers. */
function fullWindow(meter: Meter, windows: readonly WindowUsage[] = []): MeterWindow[] {
  const full = windows.filter(({ used, limit }) => limit > 0 && used >= limit)
  const first = full.find(({ defer }) => !defer) ?? full[0]
  return first ? [{ meter, usage: first }] : []
}

function metersIn(settings: TenantSettings): Meter[] {
  return METER_NAMES.filter((meter) => settings[METERS[meter].limitsField] !== undefined)
}

/** Whether a tenant has a meter decides how its mail is handled, which no process looks up by the clock. */
function assertHasMeter(tenant: Tenant, meter: Meter): void {
  const { ini, limitsField, words } = METERS[meter]
  if (ini || tenant[limitsField]) return
  const option = `--${separated(limitsField, '-')}`
  throw new RefusedError(
    `${tenant.id} has no allowance${words.allowance} that could be changed for some time: give it one first (${tenantctl('tenant', 'set', tenant.id, option)} LIST)`,
  )
}
