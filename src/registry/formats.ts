import type { AcceptedDomain, Connector, ConnectorBlock, Identities } from '../mail/tenant'

/** What an accepted domain covers, and whether it is owned. */
export interface DomainFlags {
  readonly subdomains: boolean
  readonly shared: boolean
}

/** `s` (subdomains), `h` (shared), both, or `-` for none. */
export function formatFlags({ subdomains, shared }: DomainFlags): string {
  return `${subdomains ? 's' : ''}${shared ? 'h' : ''}` || '-'
}

/** All combinations, so that a cache of 100,000 domains needs no object for each. */
const FLAGS: readonly DomainFlags[] = [
  { subdomains: false, shared: false },
  { subdomains: true, shared: false },
  { subdomains: false, shared: true },
  { subdomains: true, shared: true },
]

/** Reads the flags at the beginning of a packed accepted domain or claim. */
export function parseFlags(packed: string): DomainFlags {
  const end = packed.indexOf(' ')
  const flags = end === -1 ? packed : packed.slice(0, end)
  return FLAGS[(flags.includes('s') ? 1 : 0) + (flags.includes('h') ? 2 : 0)]!
}

/** Reads `FLAGS ADDEDAT ADDEDBY` of `ud:{id}:domains`; only the last of them may hold spaces. */
export function unpackDomain(domain: string, packed: string): AcceptedDomain {
  const first = packed.indexOf(' ')
  const second = packed.indexOf(' ', first + 1)
  return {
    domain,
    ...parseFlags(packed),
    addedAt: Number(packed.slice(first + 1, second)),
    addedBy: packed.slice(second + 1),
  }
}

/** A name that a tenant owns. */
export interface Claim {
  readonly domain: string
  readonly subdomains: boolean
}

/** Reads `FLAGS TENANT` of `ud:{@owners}:names`. */
export function unpackClaim(domain: string, packed: string): Claim & { readonly tenant: string } {
  return {
    domain,
    subdomains: parseFlags(packed).subdomains,
    tenant: packed.slice(packed.indexOf(' ') + 1),
  }
}

/** A connector to be written: the script fills in missing times with the server's. */
export type UnstampedConnector = Omit<Connector, 'addedAt' | 'blocked'> & {
  readonly addedAt?: number
  readonly blocked?: (Omit<ConnectorBlock, 'since'> & { readonly since?: number }) | undefined
}

/** The JSON of a connector in `ud:{@connectors}`. The script relies on the places of the times in it. */
export function packConnector(connector: UnstampedConnector): string {
  const { changedAt, ip, cert, certSha256, auth, enabled, addedAt, addedBy, blocked } = connector
  return JSON.stringify({
    ...{ changedAt, ip, cert, certSha256, auth, enabled, addedBy, addedAt },
    blocked: blocked && { by: blocked.by, reason: blocked.reason, since: blocked.since },
  })
}

/** The kinds of {@link Identities}, and what each is called in Redis. */
export const IDENTITY_KINDS = [
  ['ip', 'ip'],
  ['cert', 'cert'],
  ['certSha256', 'sha256'],
  ['auth', 'auth'],
] as const satisfies readonly (readonly [keyof Identities, string])[]

/** The fields of `ud:{@connectors}:identities`: `ip:192.0.2.0/24`, `cert:…`, `sha256:…`, `auth:…`. */
export function identityFields(identities: Identities): string[] {
  return IDENTITY_KINDS.flatMap(([kind, word]) => identities[kind].map((each) => `${word}:${each}`))
}
