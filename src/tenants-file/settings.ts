import { differs, host, section, type SettingsOf } from '../config/section'
import { boolean, text } from '../config/values'

/** `[tenants]` */
export const TENANTS = section({
  /** In Haraka's config directory; empty: none. */
  file: host(text, 'unregistered-domain.tenants.yaml', { needsRestart: differs }),
  /** Whether this host applies the file. */
  apply: host(boolean, 'true', { needsRestart: differs }),
})
export type TenantsSettings = SettingsOf<typeof TENANTS>
