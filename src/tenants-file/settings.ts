import { differs, host, section } from '../config/section'
import { boolean, text } from '../config/values'

export const TENANTS = section('tenants', {
  /** In Haraka's config directory; empty: none. */
  file: host(text, 'unregistered-domain.tenants.yaml', { needsRestart: differs }),
  apply: host(boolean, 'true', { needsRestart: differs }),
})
