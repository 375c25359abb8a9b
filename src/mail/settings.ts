import { section, site, type SettingsOf } from '../config/section'
import { oneOf, orNone } from '../config/values'
import { MODES } from './mode'

export const MAIN = section('main', {
  /** Of tenants without a mode of their own. */
  mode: site(oneOf(MODES), 'enforce'),
  /** Wins over the mode of every tenant. */
  override: site(orNone(oneOf(['monitor', 'off'])), ''),
  /** Where unregistered mail of a restricted tenant is refused. */
  refuseAt: site(oneOf(['mail', 'rcpt']), 'mail'),
})
export type MainSettings = SettingsOf<typeof MAIN>
