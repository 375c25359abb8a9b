/** `enforce`; `monitor`: count and report, never refuse; `off`: as if the plugin were not there. */
export type Mode = 'enforce' | 'monitor' | 'off'

export const MODES: readonly Mode[] = ['enforce', 'monitor', 'off']
