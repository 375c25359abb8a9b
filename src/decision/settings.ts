import { host, section, site, turnedOn, type SettingsOf } from '../config/section'
import { boolean, oneOf, text } from '../config/values'
import type { OutageSettings } from '../directory/settings'
import type { MainSettings } from '../mail/settings'
import type { ForwardedSettings } from '../message/settings'

export const ATTRIBUTION = section('attribution', {
  auth: host(boolean, 'true'),
  tls: host(boolean, 'true'),
  ip: host(boolean, 'true'),
  authUserDomain: host(boolean, 'true'),
  /** Name of a connection note; empty: none. */
  note: host(text, ''),
  grantRelay: host(boolean, 'false', { needsRestart: turnedOn((grants) => grants === true) }),
  unknown: host(oneOf(['ignore', 'deny']), 'ignore'),
})
export type AttributionSettings = SettingsOf<typeof ATTRIBUTION>

export const FOREIGN = section('foreign', { action: site(oneOf(['charge', 'refuse']), 'charge') })

export const RESTRICTION = section('restriction', {
  queued: site(oneOf(['deliver', 'hold']), 'hold'),
})

export const REPLY = section('reply', { case: site(boolean, 'false') })

/** The sections that decide what a message gets. */
export interface DecisionSettings {
  readonly main: MainSettings
  readonly attribution: AttributionSettings
  readonly outage: Pick<OutageSettings, 'unregistered'>
  readonly forwarded: Pick<ForwardedSettings, 'enabled' | 'whenRestricted'>
  readonly foreign: SettingsOf<typeof FOREIGN>
  readonly restriction: SettingsOf<typeof RESTRICTION>
  readonly reply: SettingsOf<typeof REPLY>
}
