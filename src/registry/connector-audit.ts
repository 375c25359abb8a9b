import { identityFields, type UnstampedConnector } from './formats'
import type { Connector, Identities } from '../mail/tenant'

/** Identities of a connector, and connectors, in one entry of the audit trail at most. */
const MOST_NAMED = 20

/** An entry of the audit trail about a connector. */
export interface ConnectorEntry {
  readonly subject: string
  readonly what: string
  readonly from: string
  readonly to: string
}

/**
 * @param id `tenant/name`
 * @param why additional text, or empty.
 */
export function entryOf(
  id: string,
  there: Connector | undefined,
  wanted: UnstampedConnector | undefined,
  why: string,
): ConnectorEntry {
  return {
    subject: id,
    what: `connector ${changeOf(there, wanted)}`,
    from: there ? describeConnector(there, wanted) : '',
    to: [wanted ? describeConnector(wanted, there) : '', why].filter(Boolean).join('; '),
  }
}

/** One entry for all connectors that one call restores. */
export function restoredEntry(ids: readonly string[]): ConnectorEntry {
  return { subject: '', what: 'connectors restored', from: '', to: firstOf(ids) }
}

/** `ip 192.0.2.0/24` for the field `ip:192.0.2.0/24`. */
export function describeIdentity(identity: string): string {
  return identity.replace(':', ' ')
}

function changeOf(there: Connector | undefined, wanted: UnstampedConnector | undefined): string {
  if (!there) return 'added'
  if (!wanted) return 'removed'
  if (!there.blocked !== !wanted.blocked) return wanted.blocked ? 'blocked' : 'unblocked'
  return 'changed'
}

/**
 * Identities, state and block of a connector, for people.
 *
 * @param other its state before or after: identities that this one does not have come first, so that they are named.
 */
export function describeConnector(connector: UnstampedConnector, other?: Identities): string {
  const { enabled, addedBy, blocked } = connector
  const shared = new Set(other ? identityFields(other) : [])
  const identities = identityFields(connector)
  const parts = [
    firstOf([
      ...identities.filter((each) => !shared.has(each)).map(describeIdentity),
      ...identities.filter((each) => shared.has(each)).map(describeIdentity),
    ]),
    enabled ? 'enabled' : 'disabled',
    `by ${addedBy}`,
  ]
  if (blocked) parts.push(`blocked by ${blocked.by}: ${blocked.reason}`)
  return parts.join('; ')
}

/** The first ones by name, and how many more. */
function firstOf(texts: readonly string[]): string {
  const named = texts.slice(0, MOST_NAMED)
  if (texts.length > MOST_NAMED) named.push(`and ${texts.length - MOST_NAMED} more`)
  return named.join(', ')
}
