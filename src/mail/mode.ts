import type { Scope } from './scope'

/** `enforce`; `monitor`: count and report, never refuse; `off`: as if the plugin were not there. */
export type Mode = 'enforce' | 'monitor' | 'off'

export const MODES: readonly Mode[] = ['enforce', 'monitor', 'off']

/** What wins over the modes of tenants; `pause`: as `monitor`, but for restrictions that a person placed. */
export type Override = 'monitor' | 'off' | 'pause'

/** What the mode of every tenant depends on. */
interface MainMode {
  readonly override: Override | undefined
  readonly mode: Mode
}

/** A tenant, as far as its mode depends on it. */
export interface TenantMode {
  /** Its own mode; `undefined`: the default. */
  readonly mode: Mode | undefined
  /** `undefined`: not restricted. */
  readonly restricted: Scope | undefined
  /** Who restricted it; `automatic`: it tripped. */
  readonly restrictedBy: string
}

/**
 * The mode in effect for a tenant: the override wins, then the tenant's own mode, then the default. The only place where a
 * pause meets a restriction, together with `allowance/lua/include/mode.lua`, which says the same.
 *
 * @param tenant `null`, `undefined`: not known.
 */
export function modeInEffect(main: MainMode, tenant: TenantMode | null | undefined): Mode {
  const { override } = main
  if (override === undefined) return tenant?.mode ?? main.mode
  if (override !== 'pause') return override
  return isPlaced(tenant) ? modeDespitePause(main, tenant) : 'monitor'
}

/** Whether the mode in effect is that of the override. */
export function isOverridden(main: MainMode, tenant: TenantMode | null | undefined): boolean {
  return main.override === 'pause' ? !isPlaced(tenant) : main.override !== undefined
}

/** The same for what a pause leaves as it is: blocked and disabled connectors, and mail that was queued before it. */
export function modeDespitePause(main: MainMode, tenant: TenantMode | null | undefined): Mode {
  const { override, mode } = main
  return override === undefined || override === 'pause' ? (tenant?.mode ?? mode) : override
}

/** Whether a person has restricted the tenant. */
function isPlaced(tenant: TenantMode | null | undefined): boolean {
  return tenant?.restricted !== undefined && tenant.restrictedBy !== 'automatic'
}
