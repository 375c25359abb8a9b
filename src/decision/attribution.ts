import type { AttributionSettings } from './settings'
import { foldAuthUser, normalizeAuthUser } from '../names/auth-user'
import type { CertificateFacts, ConnectorIndex } from '../directory/connector-index'
import { connectorId } from '../mail/identities'
import type { Connector } from '../mail/tenant'

/** The identities of a session that it cannot choose freely. Never HELO, never MAIL FROM. */
export interface Facts {
  /** SMTP AUTH user (RFC 4954). */
  readonly authUser: string | undefined
  readonly certificate: CertificateFacts | undefined
  /** After PROXY and XCLIENT. */
  readonly ip: string
  /** Set by a plugin of the operator: `tenant` or `tenant/connector`. */
  readonly note: string | undefined
}

export type Method = 'auth' | 'tls' | 'ip' | 'auth_user_domain' | 'note'

/** connection → (tenant, connector) */
export interface Attributed {
  readonly kind: 'attributed'
  readonly tenant: string
  /** `tenant/name`; `undefined`: recognised without a connector. */
  readonly connector: string | undefined
  /** A disabled connector still matches, and its mail is refused. */
  readonly enabled: boolean
  /** A blocked connector still matches too; wins over `enabled`. */
  readonly blocked: boolean
  readonly method: Method
}

export type Attribution =
  | Attributed
  | { readonly kind: 'none' }
  /** The AUTH user is spelled like users of several connectors, and like none of them exactly. */
  | { readonly kind: 'ambiguous'; readonly connectors: readonly string[] }
  /** The connectors have never been read from Redis, or the owner of a domain could not be asked. */
  | { readonly kind: 'undecidable' }
  /** The owner of this domain must be asked first. */
  | { readonly kind: 'ask-owner'; readonly domain: string }

const NONE: Attribution = { kind: 'none' }
const UNDECIDABLE: Attribution = { kind: 'undecidable' }

/** Where attribution looks up connectors and owners. */
export interface Directories {
  /** `undefined`: never loaded. */
  readonly connectors: ConnectorIndex | undefined
  /** Whether Redis was read; else they come from an earlier process, and a session without a match may have a new connector. */
  readonly connectorsAreRead: boolean
  /** Owner of a domain; `null`: none; `undefined`: unknown to this process. */
  ownerOf(domain: string): string | null | undefined
}

/** Finds the tenant of a session. First match wins, in the order of the ini file. */
export function attribute(
  facts: Facts,
  directories: Directories,
  settings: AttributionSettings,
): Attribution {
  const { connectors, connectorsAreRead } = directories
  if (connectors === undefined) return UNDECIDABLE
  const { authUser, certificate } = facts
  if (settings.auth && authUser !== undefined) {
    const connector = connectors.byAuth(authUser)
    if (connector) return byConnector(connector, 'auth')
    const alike = connectors.alike(authUser)
    if (alike.length > 1) return ambiguous(alike)
  }
  if (settings.tls && certificate !== undefined) {
    const connector = connectors.byCertificate(certificate)
    if (connector) return byConnector(connector, 'tls')
  }
  if (settings.ip) {
    const connector = connectors.byIp(facts.ip)
    if (connector) return byConnector(connector, 'ip')
  }
  if (settings.authUserDomain && authUser !== undefined) {
    const { domain } = normalizeAuthUser(foldAuthUser(authUser))
    if (domain !== undefined) {
      const owner = directories.ownerOf(domain)
      if (owner === undefined) return { kind: 'ask-owner', domain }
      if (owner !== null) return byTenant(owner, 'auth_user_domain')
    }
  }
  if (settings.note !== '' && facts.note !== undefined && facts.note !== '') {
    return byNote(facts.note, connectors)
  }
  return connectorsAreRead ? NONE : UNDECIDABLE
}

function byConnector(connector: Connector, method: Method): Attributed {
  return {
    kind: 'attributed',
    tenant: connector.tenant,
    connector: connectorId(connector.tenant, connector.name),
    enabled: connector.enabled,
    blocked: connector.blocked !== undefined,
    method,
  }
}

function ambiguous(connectors: readonly Connector[]): Attribution {
  const ids = connectors.map(({ tenant, name }) => connectorId(tenant, name))
  return { kind: 'ambiguous', connectors: ids.sort() }
}

function byTenant(tenant: string, method: Method): Attributed {
  return { kind: 'attributed', tenant, connector: undefined, enabled: true, blocked: false, method }
}

/** A note with an unregistered connector names its tenant only: it cannot be blocked, disabled or granted relaying. */
function byNote(note: string, connectors: ConnectorIndex): Attributed {
  const connector = connectors.get(note)
  if (connector) return byConnector(connector, 'note')
  const slash = note.indexOf('/')
  return byTenant(slash === -1 ? note : note.slice(0, slash), 'note')
}
