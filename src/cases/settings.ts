import { section, site } from '../config/section'
import { oneOf } from '../config/values'

export const CASE = section('case', { checklist: site(oneOf(['advise', 'require']), 'advise') })
