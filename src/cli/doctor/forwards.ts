import type { ForwardedSettings } from '../../message/settings'
import {
  IDLE_FORWARDS_ADVICE,
  idleForwardsInWords,
  tenantsWithForwards,
} from '../../operations/idle-forwards'
import type { Store } from '../../store/store'
import { fail, type Line } from './line'

/** Finds tenants whose allowance for forwards has no effect. */
export async function checkForwards({ enabled }: ForwardedSettings, store: Store): Promise<Line[]> {
  const tenants = enabled ? [] : await tenantsWithForwards(store)
  if (tenants.length === 0) return []
  return [fail('forwarded', idleForwardsInWords(tenants), IDLE_FORWARDS_ADVICE)]
}
