import { InputError } from '../base/errors'
import { formatPrefix, readAddress, readPrefix } from '../base/ip-prefix'
import { PrefixIndex } from '../base/prefix-index'
import { attribute, type Attributed, type Facts } from '../decision/attribution'
import type { AttributionSettings } from '../decision/settings'
import { ConnectorIndex } from '../directory/connector-index'
import { connectorId } from '../mail/identities'
import type { Connector } from '../mail/tenant'
import { toDomain } from '../names/domain'
import { registrableDomain } from '../names/registrable'
import { IDENTITY_KINDS, identityFields } from '../registry/formats'
import { attributeNow, type Sources } from './explain'

/** Near misses that are named. */
const MOST_NEAR = 5
/** Addresses that begin with the same bits are probably of one site. */
const SITE_BITS = { 32: 24, 128: 48 } as const

/** What a session belongs to that shows one address, certificate or AUTH user. */
interface ConnectorMatch extends Attributed {
  /** `undefined`: there is none, the tenant owns the domain of the AUTH user. */
  readonly found: Connector | undefined
  /** Which identity of it matches, as `ip:192.0.2.0/24`. */
  readonly identity: string | undefined
}

/** A connector that does not match, with an identity that is much like the one looked for. */
interface NearMiss {
  readonly connector: string
  /** As `ip:192.0.2.0/24`. */
  readonly identity: string
}

/** The result of {@link findConnector}. */
export interface ConnectorsFound {
  readonly matches: readonly ConnectorMatch[]
  /** Connectors with an AUTH user that differs in its spelling only; none of them matches. */
  readonly ambiguous: readonly string[]
  /** Where nothing matches. */
  readonly near: readonly NearMiss[]
  /** Ways of recognising it that the ini file turns off. */
  readonly off: readonly string[]
}

/**
 * What an address, the name or fingerprint of a certificate, or an AUTH user belongs to, by the code that decides for
 * sessions. A text that can be several of these is looked up as each.
 *
 * @throws {InputError} a range of addresses; what ioredis throws where Redis gives no answer.
 */
export async function findConnector(
  text: string,
  sources: Pick<Sources, 'directory' | 'config'>,
): Promise<ConnectorsFound> {
  const { directory, config } = sources
  await directory.loadConnectors()
  const matches: ConnectorMatch[] = []
  const ambiguous: string[] = []
  const asked = factsIn(text)
  for (const { facts } of asked) {
    const attribution = await attributeNow(facts, sources)
    if (attribution.kind === 'ambiguous') ambiguous.push(...attribution.connectors)
    if (attribution.kind !== 'attributed') continue
    const found = directory.connectors?.get(attribution.connector ?? '')
    matches.push({
      ...attribution,
      found,
      identity: found && matchingIdentity(found, facts, config.attribution),
    })
  }
  const all = directory.connectors?.all() ?? []
  return {
    matches,
    ambiguous,
    near: matches.length > 0 ? [] : [...nearMisses(text, all)],
    off: asked.map(({ method }) => method).filter((method) => !config.attribution[method]),
  }
}

/** A session that shows nothing else, for each thing that a text can be. */
function factsIn(text: string): { method: 'ip' | 'tls' | 'auth'; facts: Facts }[] {
  const nothing: Facts = { authUser: undefined, certificate: undefined, ip: '', note: undefined }
  if (readAddress(text)) return [{ method: 'ip', facts: { ...nothing, ip: text } }]
  if (readPrefix(text)) {
    throw new InputError(`${JSON.stringify(text)} is a range: give one of its addresses`)
  }
  const isFingerprint = /^[\da-f]{64}$/i.test(text.replaceAll(':', ''))
  const certificate = {
    names: isFingerprint ? [] : [text],
    fingerprint256: isFingerprint ? text : '',
    verified: !isFingerprint,
  }
  return [
    { method: 'tls', facts: { ...nothing, certificate } },
    { method: 'auth', facts: { ...nothing, authUser: text } },
  ]
}

/** Asks with one identity at a time, the narrowest first: of several that match, that is the one that counts. */
function matchingIdentity(
  connector: Connector,
  facts: Facts,
  settings: AttributionSettings,
): string | undefined {
  const none = { ip: [], cert: [], certSha256: [], auth: [] }
  return IDENTITY_KINDS.flatMap(([kind]) =>
    connector[kind].map((value) => ({ ...connector, ...none, [kind]: [value] })),
  )
    .sort((a, b) => widthOf(a) - widthOf(b))
    .filter((each) => {
      const connectors = new ConnectorIndex()
      connectors.set(each)
      const directories = { connectors, connectorsAreRead: true, ownerOf: () => null }
      return attribute(facts, directories, settings).kind === 'attributed'
    })
    .flatMap(identityFields)[0]
}

/** Of a connector with one identity. */
function widthOf({ ip: [prefix], cert, auth }: Connector): number {
  if (prefix !== undefined) return -readPrefix(prefix)!.length
  return [...cert, ...auth].some((each) => each.startsWith('*')) ? 1 : 0
}

/** Addresses of the same site; certificates and users of the same organisation. */
function* nearMisses(text: string, connectors: Iterable<Connector>): Generator<NearMiss> {
  const address = readAddress(text)
  const site = new PrefixIndex<true>()
  if (address) site.add(formatPrefix({ ...address, length: SITE_BITS[address.bits] }), true)
  const organisation = organisationOf(text)
  let left = MOST_NEAR
  for (const connector of connectors) {
    for (const identity of identityFields(connector)) {
      const value = identity.slice(identity.indexOf(':') + 1)
      const isNear = address
        ? site.find(value.split('/')[0]!)
        : organisation !== undefined && organisationOf(value) === organisation
      if (!isNear) continue
      yield { connector: connectorId(connector.tenant, connector.name), identity }
      if (--left === 0) return
    }
  }
}

/** The organisation in the name of a certificate, or behind the `@` of a user. */
function organisationOf(text: string): string | undefined {
  const domain = toDomain(text.slice(text.lastIndexOf('@') + 1).replace(/^\*\./, ''))
  return domain && registrableDomain(domain)
}
