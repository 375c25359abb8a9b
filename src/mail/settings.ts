import { section, site, type SettingsOf } from '../config/section'
import { oneOf, orNone } from '../config/values'
import { MODES, type Override } from './mode'

export const MAIN = section('main', {
  mode: site(oneOf(MODES), 'enforce'),
  override: site(orNone(oneOf(['monitor', 'off'])), ''),
  refuseAt: site(oneOf(['mail', 'rcpt']), 'mail'),
})

/** `[main]`, or what is in effect in its place while enforcement is paused: see `enforcement/in-effect.ts`. */
export interface MainSettings extends Omit<SettingsOf<typeof MAIN>, 'override'> {
  readonly override: Override | undefined
  /** The pause that the override comes from; absent: it comes from the ini file. */
  readonly pause?: PauseInEffect
}

/** A pause of enforcement, while it is in effect. */
export interface PauseInEffect {
  /** ms since the epoch, by the clock of this host: mail that was queued before it is not released by it. */
  readonly since: number
  /** ms since the epoch, server time. */
  readonly until: number
}
