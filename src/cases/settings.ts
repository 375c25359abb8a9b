import { section, site, type SettingsOf } from '../config/section'
import { oneOf } from '../config/values'

/** `[case]` */
export const CASE = section({
  /** What an unblock does while steps of the checklist are not ticked. */
  checklist: site(oneOf(['advise', 'require']), 'advise'),
})
export type CaseSettings = SettingsOf<typeof CASE>
