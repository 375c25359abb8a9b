import type { Connector } from '../../mail/tenant'
import { isoTime } from '../../base/time'
import type { Cell } from '../kit/output'

/** A connector, as JSON. */
export function connectorView(connector: Connector): object {
  const { blocked } = connector
  return {
    tenant: connector.tenant,
    name: connector.name,
    ip: connector.ip,
    cert: connector.cert,
    cert_sha256: connector.certSha256,
    auth: connector.auth,
    enabled: connector.enabled,
    blocked: blocked
      ? { since: isoTime(blocked.since), by: blocked.by, reason: blocked.reason }
      : null,
    added_at: isoTime(connector.addedAt),
    added_by: connector.addedBy,
    changed_at: connector.changedAt === undefined ? null : isoTime(connector.changedAt),
  }
}

/** Whether it may relay, for people. */
export function stateCell({ enabled, blocked }: Connector): Cell {
  if (blocked) return { text: 'blocked', tone: 'bad' }
  return enabled ? 'yes' : { text: 'no', tone: 'bad' }
}

/** What it is recognised by, for people. */
export function identitiesOf({ ip, cert, certSha256, auth }: Connector): string {
  return [
    ...ip.map((value) => `ip ${value}`),
    ...cert.map((value) => `cert ${value}`),
    ...certSha256.map((value) => `sha256 ${value.slice(0, 16)}…`),
    ...auth.map((value) => `auth ${value}`),
  ].join(', ')
}
