import { InputError } from '../base/errors'
import { formatPrefix, readPrefix } from '../base/ip-prefix'
import { clean } from '../base/safe-text'
import type { Case } from '../cases/case'
import { Cases } from '../cases/cases'
import { isTenantId } from '../mail/identities'
import type { Connector } from '../mail/tenant'
import { normalizeAuthUser } from '../names/auth-user'
import { parentsOf, toDomain } from '../names/domain'
import { readSomeConnectors } from '../registry/connector-reader'
import { readEntries } from '../registry/domain-entries'
import type { DomainFlags } from '../registry/formats'
import type { NameIndex } from '../registry/name-index'
import { findInMail, type Found, type SeenInMail } from '../reporting/mail-index'
import { serverTime } from '../store/server-clock'
import type { Store } from '../store/store'
import { findOwner } from './find-domain'

/** Characters of the shortest text that is looked for. */
export const SHORTEST = 3
/** What is found of each kind at most. */
const MOST = 20

export interface FoundTenant {
  readonly id: string
  readonly name: string
  readonly restricted: boolean
}

export interface FoundDomain extends DomainFlags {
  readonly domain: string
  readonly tenant: string
}

/** What a text finds. */
export interface FoundAll {
  readonly tenants: Found<FoundTenant>
  /** Accepted domains. */
  readonly domains: Found<FoundDomain>
  readonly connectors: Found<Connector>
  /** The latest of each tenant first. */
  readonly cases: Found<Case>
  readonly mail: SeenInMail
}

/**
 * Finds tenants, accepted domains, connectors and cases by a part of their names, and what mail of the last days has shown by
 * how it begins. What bears exactly the name, or is recognised by exactly that address, user or certificate, comes first and
 * does not depend on the index.
 *
 * @throws {InputError} the text is too short; what ioredis throws.
 */
export async function find(store: Store, text: string, index: NameIndex): Promise<FoundAll> {
  const query = clean(text).trim()
  if ([...query].length < SHORTEST) {
    throw new InputError(
      `${JSON.stringify(query)} is too short: give at least ${SHORTEST} characters`,
    )
  }
  const part = query.toLowerCase()
  const now = await serverTime(store.client)
  const tenants = await findTenants(store, part, index)
  const [domains, connectors, cases, mail] = await Promise.all([
    findDomains(store, part, index),
    findConnectors(store, part, index),
    findCases(store, part, tenants.items),
    findInMail(store, query, now, MOST),
  ])
  return { tenants, domains, connectors, cases, mail }
}

async function findTenants(
  { client, keys }: Store,
  part: string,
  index: NameIndex,
): Promise<Found<FoundTenant>> {
  const exact = isTenantId(part) ? [part] : []
  const ids = new Set([...exact, ...index.tenants.find(part, MOST + 1).map(({ key }) => key)])
  return firstOf(
    await Promise.all(
      [...ids].map(async (id) => {
        const [fields, restricted] = await Promise.all([
          client.hmget(keys.tenant(id), 'createdAt', 'name'),
          client.exists(keys.restriction(id)),
        ])
        if (fields[0] === null) return undefined
        return { id, name: fields[1] ?? id, restricted: restricted === 1 }
      }),
    ),
  )
}

async function findDomains(
  store: Store,
  part: string,
  index: NameIndex,
): Promise<Found<FoundDomain>> {
  const name = toDomain(part.slice(part.lastIndexOf('@') + 1))
  const owner = name === undefined ? undefined : await findOwner(store, name)
  const exact = owner?.state === 'registered' ? [{ tenant: owner.tenant, ...owner.accepted }] : []
  const indexed = index.domains
    .find(toDomain(part) ?? part, MOST + 1)
    .filter(({ key, line }) => !exact.some((each) => each.tenant === key && each.domain === line))
  const read = indexed.map(async ({ key: tenant, line: domain }) => {
    const [flags] = await readEntries(store, tenant, [domain])
    return flags && { tenant, domain, ...flags }
  })
  return firstOf([...exact, ...(await Promise.all(read))])
}

async function findConnectors(
  store: Store,
  part: string,
  index: NameIndex,
): Promise<Found<Connector>> {
  const { client, keys } = store
  const exact = await client.hmget(keys.connectorIdentities, ...identitiesOf(part))
  const ids = new Set([
    ...[part, ...exact.filter((id) => id !== null)],
    ...index.connectors.find(part, MOST + 1).map(({ key }) => key),
  ])
  return firstOf((await readSomeConnectors(store, [...ids])).map(([, connector]) => connector))
}

/** The identities by which a connector of an address, AUTH user or certificate is registered; the narrowest first. */
function identitiesOf(part: string): string[] {
  const prefix = readPrefix(part)
  if (prefix) {
    return Array.from(
      { length: prefix.length + 1 },
      (_, at) => `ip:${formatPrefix({ ...prefix, length: prefix.length - at })}`,
    )
  }
  const { user, domain } = normalizeAuthUser(part)
  const name = toDomain(part) ?? part
  const [parent] = parentsOf(name)
  return [
    ...[`auth:${user}`, `cert:${name}`, `sha256:${part.replaceAll(':', '')}`],
    ...(domain === undefined ? [] : [`auth:*@${domain}`]),
    ...(parent === undefined ? [] : [`cert:*.${parent}`]),
  ]
}

/** Those of the tenants that are found; or of one tenant, also a removed one, by the name of a case or how it begins. */
async function findCases(
  store: Store,
  part: string,
  tenants: readonly FoundTenant[],
): Promise<Found<Case>> {
  const cases = new Cases(store)
  const [id = ''] = part.split(':')
  const ids = new Set([...(isTenantId(id) ? [id] : []), ...tenants.map((each) => each.id)])
  const names = await Promise.all([...ids].map((each) => cases.namesOf(each)))
  const wanted = names
    .flatMap((each) => each.reverse())
    .filter((name) => !part.includes(':') || name.startsWith(part))
  return firstOf(await Promise.all(wanted.slice(0, MOST + 1).map((name) => cases.get(name))))
}

/** @param all undefined: it has been removed meanwhile. */
function firstOf<T>(all: readonly (T | undefined)[]): Found<T> {
  const items = all.filter((each) => each !== undefined)
  return { items: items.slice(0, MOST), hasMore: items.length > MOST }
}
