import { section, site, type SettingsOf } from '../config/section'
import { oneOf, orNone } from '../config/values'
import { MODES } from './mode'

export const MAIN = section('main', {
  mode: site(oneOf(MODES), 'enforce'),
  override: site(orNone(oneOf(['monitor', 'off'])), ''),
  refuseAt: site(oneOf(['mail', 'rcpt']), 'mail'),
})
export type MainSettings = SettingsOf<typeof MAIN>
