import { section, site, type SettingsOf } from '../config/section'
import { boolean, integer } from '../config/values'
import { MOST_DAYS_KEPT } from './bounds'

export const REPORT = section('report', {
  /** How many days reports are kept. */
  days: site(integer(1, MOST_DAYS_KEPT), '90'),
  samples: site(boolean, 'true'),
})
export type ReportSettings = SettingsOf<typeof REPORT>
