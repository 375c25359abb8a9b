import { InputError } from '../base/errors'
import { normalizeAuthUser } from '../names/auth-user'
import { publicSuffixKind } from '../names/registrable'
import { typedDomain } from '../names/typed-domain'
import { parsePrefix } from '../base/ip-prefix'
import type { Identities } from './tenant'

/** Of ids and names, in characters. */
export const LONGEST_ID = 63
const ID = /^[a-z0-9][a-z0-9._-]{0,62}$/
const ID_RULE = 'at most 63 of a-z, 0-9, ".", "_" and "-", beginning with a letter or a digit'

/** RFC 4616 §2: an authentication identity is at most 255 octets long. */
const MAX_AUTH_USER = 255

/** Identities as operators give them. */
export interface RawIdentities {
  readonly ip?: readonly string[] | undefined
  readonly cert?: readonly string[] | undefined
  readonly certSha256?: readonly string[] | undefined
  readonly auth?: readonly string[] | undefined
}

/** `tenant/name` */
export function connectorId(tenant: string, name: string): string {
  return `${tenant}/${name}`
}

/** The name in `tenant/name`; of an empty text, an empty one. */
export function connectorName(id: string): string {
  return id.slice(id.indexOf('/') + 1)
}

/** Whether a text can be the id of a tenant. */
export function isTenantId(id: string): boolean {
  return ID.test(id)
}

/** @throws {InputError} */
export function assertTenantId(id: string): void {
  if (!isTenantId(id))
    throw new InputError(`${JSON.stringify(id)} is not a tenant id: use ${ID_RULE}`)
}

/** @throws {InputError} */
export function assertConnectorName(name: string): void {
  if (!ID.test(name)) {
    throw new InputError(`${JSON.stringify(name)} is not a connector name: use ${ID_RULE}`)
  }
}

/**
 * The canonical form of a connector's identities, each list sorted and without doubles, so that equal
 * ones are equal as text.
 *
 * @throws {InputError} naming the first that is wrong, or if there is none at all.
 */
export function normalizeIdentities(raw: RawIdentities): Identities {
  const identities = canonicalIdentities(raw)
  if (Object.values({ ...identities }).every((list) => list.length === 0)) {
    throw new InputError(
      'a connector needs an identity: an IP prefix, certificate name, certificate fingerprint or AUTH user',
    )
  }
  return identities
}

/** The same for identities that are a part of a connector's: there may be none. @throws {InputError} */
export function canonicalIdentities(raw: RawIdentities): Identities {
  return {
    ip: canonical(raw.ip, parsePrefix),
    cert: canonical(raw.cert, certificateName),
    certSha256: canonical(raw.certSha256, fingerprint),
    auth: canonical(raw.auth, authPattern),
  }
}

function canonical(list: readonly string[] = [], normalize: (text: string) => string): string[] {
  return [...new Set(list.map(normalize))].sort()
}

/** A DNS name, or `*.name` for one label below it (RFC 6125 §6.4.3). */
function certificateName(text: string): string {
  if (!text.startsWith('*.')) return typedDomain(text)
  const parent = typedDomain(text.slice(2))
  if (publicSuffixKind(parent) !== undefined) {
    throw new InputError(
      `${JSON.stringify(text)} matches certificates of everybody below ${parent}, a public suffix: name the tenant's own domain`,
    )
  }
  return `*.${parent}`
}

function fingerprint(text: string): string {
  if (!/^(?:[\da-f]{64}|(?:[\da-f]{2}:){31}[\da-f]{2})$/i.test(text)) {
    throw new InputError(
      `${JSON.stringify(text)} is not a SHA-256 fingerprint: give 64 hexadecimal digits, as "openssl x509 -noout -fingerprint -sha256" prints them behind the "="`,
    )
  }
  return text.replaceAll(':', '').toLowerCase()
}

/** A user name, or `*@domain`. */
function authPattern(text: string): string {
  const quoted = JSON.stringify(text)
  if (text === '') throw new InputError('an AUTH user name is empty')
  if (/\p{Cc}/u.test(text)) {
    throw new InputError(`${quoted} is not an AUTH user name: it holds a control character`)
  }
  if (Buffer.byteLength(text) > MAX_AUTH_USER) {
    throw new InputError(
      `${quoted} is not an AUTH user name: it is longer than ${MAX_AUTH_USER} octets (RFC 4616)`,
    )
  }
  if (text.startsWith('*@')) return `*@${typedDomain(text.slice(2))}`
  if (text.includes('*')) {
    throw new InputError(
      `${quoted} is not an AUTH user name: a star stands for all users of a domain only, as in *@contoso.com`,
    )
  }
  return normalizeAuthUser(text).user
}
