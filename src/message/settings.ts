import { section, site, turnedOn, type SettingsOf } from '../config/section'
import { boolean, list, oneOf } from '../config/values'
import { typedDomain } from '../names/typed-domain'

export const FORWARDED = section('forwarded', {
  /** Forwards are told apart. */
  enabled: site(boolean, 'false', { needsRestart: turnedOn((enabled) => enabled === true) }),
  whenRestricted: site(oneOf(['refuse', 'accept']), 'refuse'),
  arcSealers: site((value) => list(value).map(typedDomain), ''),
})
export type ForwardedSettings = SettingsOf<typeof FORWARDED>

export const HEADER_FROM = section('header_from', {
  check: site(oneOf(['off', 'report', 'charge']), 'report', {
    needsRestart: turnedOn((check) => check === 'charge'),
  }),
})
export type HeaderFromSettings = SettingsOf<typeof HEADER_FROM>
