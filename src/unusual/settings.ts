import type { AllowanceSettings } from '../allowance/settings'
import { section, site, type SettingsOf } from '../config/section'
import { integer } from '../config/values'
import type { ReportSettings } from '../reporting/settings'

/** `[unusual]`: the numbers of the rules; 0 turns a rule off. */
export const UNUSUAL = section('unusual', {
  /** First unregistered mail after so many days without. */
  quietDays: site(integer(0, 365), '30'),
  /** From so many recipients on. */
  quietRecipients: site(integer(1, 1_000_000), '5'),
  /** Distinct unregistered domains in an hour. */
  domains: site(integer(0, 100), '20'),
  /** Unregistered recipients in an hour, as a multiple of the busiest hour of the seven days before. */
  volume: site(integer(0, 1000), '5'),
  /** Registered recipients in an hour after a restriction, as a multiple of the same. */
  registeredVolume: site(integer(0, 1000), '3'),
  /** Recipients of the null sender in an hour, as a multiple of the same. */
  nullVolume: site(integer(0, 1000), '5'),
  /** Unregistered recipients in 24 hours through a new or changed connector, above the usual. */
  newConnector: site(integer(0, 1_000_000), '50'),
  /** The same from new addresses or AUTH users. */
  newSource: site(integer(0, 1_000_000), '50'),
  /** Percent of the daily limit, used on five of seven days. */
  steady: site(integer(0, 100), '60'),
  /** Recipients of foreign mail in 24 hours, above the usual. */
  foreign: site(integer(0, 1_000_000), '20'),
  /** Percent of the registered messages looked at whose header From names no accepted domain. */
  headerFrom: site(integer(0, 100), '20'),
  /** An hour with fewer recipients is never unusual. */
  least: site(integer(1, 1_000_000), '20'),
})
export type UnusualSettings = SettingsOf<typeof UNUSUAL>

/** The sections that the rules and the history of a tenant depend on. */
export interface UnusualConfig {
  readonly unusual: UnusualSettings
  readonly allowance: AllowanceSettings['allowance']
  readonly report: ReportSettings
}
