import { foldAuthUser, normalizeAuthUser } from '../names/auth-user'
import { toDomain } from '../names/domain'
import { connectorId } from '../mail/identities'
import { PrefixIndex } from '../base/prefix-index'
import type { Connector } from '../mail/tenant'

/** A client's certificate. */
export interface CertificateFacts {
  /** Its DNS names: the SANs or, where there are none, the CN. */
  readonly names: readonly string[]
  /** SHA-256 in hexadecimal, with or without colons. */
  readonly fingerprint256: string
  /** The chain was checked against the configured CA. */
  readonly verified: boolean
}

/**
 * Every connector, found by what a session shows. Disabled ones match too: the caller looks at
 * `enabled`. The registry lets no identity stand at two connectors; should it happen nevertheless, the
 * one that was set last has it.
 */
export class ConnectorIndex {
  readonly #byId = new Map<string, Connector>()
  readonly #auth = new Map<string, Connector>()
  /** Folded user name → the connectors that have it in another spelling: few have any. */
  readonly #spelled = new Map<string, Set<Connector>>()
  readonly #cert = new Map<string, Connector>()
  readonly #certSha256 = new Map<string, Connector>()
  readonly #ip = new PrefixIndex<Connector>()

  get size(): number {
    return this.#byId.size
  }

  all(): IterableIterator<Connector> {
    return this.#byId.values()
  }

  /** @param id `tenant/name` */
  get(id: string): Connector | undefined {
    return this.#byId.get(id)
  }

  /** Adds a connector, or replaces the one of this name. */
  set(connector: Connector): void {
    const id = connectorId(connector.tenant, connector.name)
    this.delete(id)
    this.#byId.set(id, connector)
    for (const user of connector.auth) {
      this.#auth.set(user, connector)
      this.#spell(user, connector)
    }
    for (const name of connector.cert) this.#cert.set(name, connector)
    for (const hash of connector.certSha256) this.#certSha256.set(hash, connector)
    for (const prefix of connector.ip) this.#ip.add(prefix, connector)
  }

  /** @param id `tenant/name` */
  delete(id: string): void {
    const connector = this.#byId.get(id)
    if (connector === undefined) return
    this.#byId.delete(id)
    for (const user of connector.auth) {
      deleteOwn(this.#auth, user, connector)
      this.#unspell(user, connector)
    }
    for (const name of connector.cert) deleteOwn(this.#cert, name, connector)
    for (const hash of connector.certSha256) deleteOwn(this.#certSha256, hash, connector)
    for (const prefix of connector.ip) deleteOwn(this.#ip, prefix, connector)
  }

  /**
   * By the user who logged in; else by one that differs in its spelling only, for a backend that takes the two for one;
   * else by `*@domain`. `undefined` also where {@link alike} names several.
   */
  byAuth(user: string): Connector | undefined {
    const exact = this.#auth.get(normalizeAuthUser(user).user)
    if (exact !== undefined) return exact
    const alike = this.alike(user)
    if (alike.length > 0) return alike.length === 1 ? alike[0] : undefined
    const { domain } = normalizeAuthUser(foldAuthUser(user))
    return domain === undefined ? undefined : this.#auth.get(`*@${domain}`)
  }

  /**
   * The connectors of a user, however it is spelled. With several, it is unknown whose a user is that none of them has as
   * it is: they may be of different tenants.
   */
  alike(user: string): readonly Connector[] {
    const { user: name } = normalizeAuthUser(user)
    const exact = this.#auth.get(name)
    if (exact !== undefined) return [exact]
    const folded = foldAuthUser(name)
    const plain = this.#auth.get(folded)
    return [...new Set([...(plain ? [plain] : []), ...(this.#spelled.get(folded) ?? [])])]
  }

  /**
   * By the pinned fingerprint, which needs no CA and holds whatever the certificate says of itself, its dates included
   * (as DANE-EE, RFC 7671 §5.1). Else, if the chain is verified, by the first name
   * that a connector has; else by the first that a connector's `*.name` matches, with one label in
   * place of the star (RFC 6125 §6.4.3). A certificate for `*.name` matches a connector's `*.name`, and
   * no connector for a single name below it: anybody below could hold that certificate.
   */
  byCertificate({ names, fingerprint256, verified }: CertificateFacts): Connector | undefined {
    const pinned = this.#certSha256.get(fingerprint256.replaceAll(':', '').toLowerCase())
    if (pinned !== undefined || !verified || this.#cert.size === 0) return pinned
    return this.#byNames(names, presentedName) ?? this.#byNames(names, wildcardOf)
  }

  /** By the longest prefix that holds the address. */
  byIp(ip: string): Connector | undefined {
    return this.#ip.find(ip)
  }

  #spell(user: string, connector: Connector): void {
    const folded = foldAuthUser(user)
    if (folded === user) return
    const spelled = this.#spelled.get(folded)
    if (spelled) spelled.add(connector)
    else this.#spelled.set(folded, new Set([connector]))
  }

  #unspell(user: string, connector: Connector): void {
    const folded = foldAuthUser(user)
    const spelled = this.#spelled.get(folded)
    spelled?.delete(connector)
    if (spelled?.size === 0) this.#spelled.delete(folded)
  }

  #byNames(
    names: readonly string[],
    patternOf: (name: string) => string | undefined,
  ): Connector | undefined {
    for (const name of names) {
      const pattern = patternOf(name)
      const connector = pattern === undefined ? undefined : this.#cert.get(pattern)
      if (connector !== undefined) return connector
    }
    return undefined
  }
}

/** A DNS name of a certificate as connectors hold it. */
function presentedName(name: string): string | undefined {
  if (!name.startsWith('*.')) return toDomain(name)
  const parent = toDomain(name.slice(2))
  return parent && `*.${parent}`
}

/** The pattern that matches a name by a star in place of its first label. */
function wildcardOf(name: string): string | undefined {
  const domain = toDomain(name)
  const dot = domain?.indexOf('.') ?? -1
  return domain === undefined || dot === -1 ? undefined : `*${domain.slice(dot)}`
}

/** Takes an identity away, unless another connector has got it since. */
function deleteOwn(
  index: { get(key: string): Connector | undefined; delete(key: string): unknown },
  key: string,
  connector: Connector,
): void {
  if (index.get(key) === connector) index.delete(key)
}
