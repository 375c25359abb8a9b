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

const CERT = 'DNS name of a verified client certificate, or *.name'
const FINGERPRINT = 'fingerprint of one certificate, no CA needed'

/** How the identities of a connector are given: the option, what its value is called, and what it is. */
export const IDENTITY_OPTIONS = [
  { kind: 'ip', option: 'ip', value: 'cidr', words: 'source address or range' },
  { kind: 'cert', option: 'cert', value: 'name', words: CERT },
  { kind: 'certSha256', option: 'cert-sha256', value: 'hex', words: FINGERPRINT },
  { kind: 'auth', option: 'auth', value: 'user', words: 'SMTP AUTH user, or *@domain' },
] as const

/** What was done to a connector (`tenant/name`), in a line, by the result of the operation. */
export const CONNECTOR_DONE = {
  add: (id, result) =>
    result === 'added' ? `added connector ${id}` : `connector ${id} is there already`,
  set: (id, result) =>
    result === 'changed' ? `changed connector ${id}` : `connector ${id} is so already`,
  remove: (id) => `removed connector ${id}`,
  enable: (id, result) =>
    result === 'changed' ? `enabled connector ${id}` : `connector ${id} is enabled already`,
  disable: (id, result) =>
    result === 'changed' ? `disabled connector ${id}` : `connector ${id} is disabled already`,
  block: (id, result) =>
    result === 'blocked'
      ? `blocked connector ${id}: all that it relays is refused`
      : `connector ${id} is blocked already`,
  unblock: (id, result) =>
    result === 'unblocked' ? `unblocked connector ${id}` : `connector ${id} is not blocked`,
} as const satisfies Readonly<Record<string, (id: string, result: string) => string>>
