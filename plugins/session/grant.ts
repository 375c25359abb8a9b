import type { Attribution } from '../../src/decision/attribution'
import type { Connection } from '../kit/haraka'
import type { Session } from './session'

/**
 * `grant_relay`: a session that an enabled connector matches may relay. Before MAIL this holds for the session, in a
 * transaction for that alone (connection.js, `relaying`); it ends with the connector that it was granted for. A blocked
 * one is enabled all the same: its refusal is ours, with words of its own.
 */
export function grantRelay(
  connection: Connection,
  session: Session,
  attribution: Attribution,
): void {
  const matches =
    attribution.kind === 'attributed' && attribution.enabled && attribution.connector !== undefined
  if (matches && !connection.relaying) {
    session.granted = true
    connection.relaying = true
  } else if (!matches && mayRevoke(session, attribution)) {
    connection.relaying = false
  }
}

/** AUTH may relay in its own right; and while nothing can be looked up, what was granted stays. */
function mayRevoke(session: Session, attribution: Attribution): boolean {
  return session.granted && attribution.kind !== 'undecidable' && session.user === undefined
}
