import type { AllowanceSettings } from '../allowance/settings'
import { section, site, type SettingsOf } from '../config/section'
import { integer } from '../config/values'
import type { ReportSettings } from '../reporting/settings'

/** The thresholds of the rules; 0 turns a rule off. */
export const UNUSUAL = section('unusual', {
  quietDays: site(integer(0, 365), '30'),
  quietRecipients: site(integer(1, 1_000_000), '5'),
  domains: site(integer(0, 100), '20'),
  volume: site(integer(0, 1000), '5'),
  registeredVolume: site(integer(0, 1000), '3'),
  nullVolume: site(integer(0, 1000), '5'),
  newConnector: site(integer(0, 1_000_000), '50'),
  newSource: site(integer(0, 1_000_000), '50'),
  steady: site(integer(0, 100), '60'),
  foreign: site(integer(0, 1_000_000), '20'),
  headerFrom: site(integer(0, 100), '20'),
  least: site(integer(1, 1_000_000), '20'),
})
export type UnusualSettings = SettingsOf<typeof UNUSUAL>

/** The sections that the rules and the history of a tenant depend on. */
export interface UnusualConfig {
  readonly unusual: UnusualSettings
  readonly allowance: AllowanceSettings['allowance']
  readonly report: ReportSettings
}
