import { count } from '../../base/count'
import type { AtLimit } from '../../operations/at-limit'
import { some } from './counts'

const MOST_NAMED = 20

/** Which tenants would be restricted by their next recipient, for people. */
export function atLimitText({ tenants, looked, of }: AtLimit): string {
  const bounded =
    looked < of ? `; only the ${looked} tenants with the latest mail were looked at` : ''
  if (tenants.length === 0) return `no tenant would be restricted by its next recipient${bounded}`
  const who = `${count(tenants.length, 'tenant')} would be restricted by the next recipient`
  return `${who}: ${some(tenants, MOST_NAMED)}${bounded}`
}
