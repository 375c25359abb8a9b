import { tenantctl } from '../../base/command-line'
import type { Scope } from '../../mail/scope'
import type { Blocked } from '../../operations/block'

/** What a block has done. */
export function blockedLine(
  tenant: string,
  scope: Scope,
  { result, passes }: Pick<Blocked, 'result' | 'passes'>,
): string {
  if (passes) {
    const unblock = tenantctl('unblock', tenant, '--reason', 'TEXT')
    return `${tenant} is restricted already, but its mail passes while enforcement is paused: ${unblock}, then block it`
  }
  const what =
    scope === 'all' ? 'all mail that it relays is refused' : 'its unregistered mail is refused'
  if (result === 'unchanged') return `${tenant} is restricted already: ${what}`
  return `blocked ${tenant}: ${what}`
}
