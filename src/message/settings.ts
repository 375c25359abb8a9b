import { section, site, type SettingsOf } from '../config/section'
import { list, oneOf } from '../config/values'
import { typedDomain } from '../names/typed-domain'

export const FORWARDED = section('forwarded', {
  whenRestricted: site(oneOf(['refuse', 'accept']), 'refuse'),
  arcSealers: site((value) => list(value).map(typedDomain), ''),
})
export type ForwardedSettings = SettingsOf<typeof FORWARDED>

export const HEADER_FROM = section('header_from', {
  check: site(oneOf(['off', 'report', 'charge']), 'report'),
})
export type HeaderFromSettings = SettingsOf<typeof HEADER_FROM>
