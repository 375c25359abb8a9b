import { section, site } from '../config/section'
import { oneOf } from '../config/values'

export const CASE = section('case', {
  /** What an unblock does while steps of the checklist are not ticked. */
  checklist: site(oneOf(['advise', 'require']), 'advise'),
})
