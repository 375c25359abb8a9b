/** `enforce`; `monitor`: count and report, never refuse; `off`: as if the plugin were not there. */
export type Mode = 'enforce' | 'monitor' | 'off'

export const MODES: readonly Mode[] = ['enforce', 'monitor', 'off']

/** The mode in effect for a tenant: the override wins, then the tenant's own mode, then the default. */
export function modeInEffect(
  main: { readonly override: Mode | undefined; readonly mode: Mode },
  own: Mode | undefined,
): Mode {
  return main.override ?? own ?? main.mode
}
