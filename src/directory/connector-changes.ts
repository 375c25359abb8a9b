import type { Connector } from '../mail/tenant'
import { identityFields } from '../registry/formats'

/**
 * What is in effect of a connector that was written after Redis had gone back: what was written, and the rest as it was known.
 *
 * @param now as Redis holds it.
 * @param was as Redis held it when it had gone back.
 * @param is as it was known.
 */
export function mergedConnector(now: Connector, was: Connector, is: Connector): Connector {
  const { ip, cert, certSha256, auth } = sameIdentities(now, was) ? is : now
  return {
    ...now,
    ...{ ip, cert, certSha256, auth },
    enabled: now.enabled === was.enabled ? is.enabled : now.enabled,
    blocked: now.blocked?.since === was.blocked?.since ? is.blocked : now.blocked,
    changedAt: later(now.changedAt, is.changedAt),
  }
}

function sameIdentities(a: Connector, b: Connector): boolean {
  return identityFields(a).join() === identityFields(b).join()
}

function later(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? (a ?? b) : Math.max(a, b)
}
