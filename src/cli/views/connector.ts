import type { Connector, ConnectorBlock, Identities } from '../../mail/tenant'
import { isoTime } from '../../base/time'
import type { Cell } from '../kit/output'

/** A connector, as JSON. */
export function connectorView(connector: Connector): object {
  const { blocked } = connector
  return {
    tenant: connector.tenant,
    name: connector.name,
    ...identitiesView(connector),
    enabled: connector.enabled,
    blocked: blocked ? blockView(blocked) : null,
    added_at: isoTime(connector.addedAt),
    added_by: connector.addedBy,
    changed_at: connector.changedAt === undefined ? null : isoTime(connector.changedAt),
  }
}

/** Who has blocked it, as JSON. */
export function blockView({ since, by, reason }: ConnectorBlock): object {
  return { since: isoTime(since), by, reason }
}

/** What it is recognised by, as JSON. */
export function identitiesView({ ip, cert, certSha256, auth }: Identities): object {
  return { ip, cert, cert_sha256: certSha256, auth }
}

/** Whether it may relay, for people. */
export function stateCell({ enabled, blocked }: Connector): Cell {
  if (blocked) return { text: 'blocked', tone: 'bad' }
  return enabled ? 'yes' : { text: 'no', tone: 'bad' }
}

/** What it is recognised by, for people. */
export function identitiesOf({ ip, cert, certSha256, auth }: Identities): string {
  return [
    ...ip.map((value) => `ip ${value}`),
    ...cert.map((value) => `cert ${value}`),
    ...certSha256.map((value) => `sha256 ${value.slice(0, 16)}…`),
    ...auth.map((value) => `auth ${value}`),
  ].join(', ')
}
