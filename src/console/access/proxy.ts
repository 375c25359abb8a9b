import { isIP } from 'node:net'
import { contains, readPrefix } from '../../base/ip-prefix'
import { clean } from '../../base/safe-text'
import { ROLES, type Role } from '../../records/role'
import type { Person } from './person'
import { isListed, type ConsoleSettings } from './settings'
import { sameSecret } from './secrets'

/** The record of a change keeps no more of a name. */
const LONGEST_USER = 90

/** How a proxy says who is signed in. */
export interface Proxy extends Pick<
  ConsoleSettings,
  'groupsHeader' | 'viewers' | 'operators' | 'admins' | 'proxySecretHeader' | 'trustedProxies'
> {
  readonly userHeader: string
  /** `undefined`: the console listens on a socket that only the proxy can reach. */
  readonly secret: string | undefined
}

/** Names and values in turn, as Node gives them: it joins or drops those that come twice elsewhere. */
export type RawHeaders = readonly string[]

/** A request that is refused, with a sentence. */
export interface Refusal {
  readonly status: 400 | 403
  readonly why: string
}

/** What a proxy says of a request. */
export interface Proxied {
  readonly address: string
  /** `undefined`: no person is signed in, or one whom the console does not let in. */
  readonly person: Person | undefined
  readonly unlisted?: Refusal
}

/**
 * Reads who sends a request, and from where.
 *
 * @param peer the address of the other end of the connection.
 */
export function readProxied(proxy: Proxy, headers: RawHeaders, peer: string): Proxied | Refusal {
  const { userHeader, groupsHeader, proxySecretHeader, secret } = proxy
  for (const name of [userHeader, groupsHeader, proxySecretHeader]) {
    if (name !== undefined && valuesOf(headers, name).length > 1) {
      return { status: 400, why: `The header ${name} came twice: the proxy has to set it alone.` }
    }
  }
  const [user = ''] = valuesOf(headers, userHeader)
  const [given = ''] = valuesOf(headers, proxySecretHeader)
  if (secret !== undefined && !sameSecret(given, secret)) {
    if (user === '' && given === '') return { person: undefined, address: peer }
    return {
      status: 403,
      why: `The header ${proxySecretHeader} does not have the secret of the proxy.`,
    }
  }
  const address = clientOf(proxy, headers, peer)
  if (user === '') return { person: undefined, address }
  if (user.length > LONGEST_USER || clean(user) !== user) {
    return {
      status: 400,
      why: `The header ${userHeader} has no name of up to ${LONGEST_USER} visible characters.`,
    }
  }
  const role = roleOf(
    proxy,
    user,
    groupsHeader === undefined ? [] : valuesOf(headers, groupsHeader),
  )
  if (role === undefined) {
    const why = `${user} is signed in, but in no list of [console]: viewers, operators or admins.`
    return { person: undefined, address, unlisted: { status: 403, why } }
  }
  return { person: { provider: 'web', subject: user, name: user, role }, address }
}

/** The highest role of the lists that have the user. */
function roleOf(
  { viewers, operators, admins }: Proxy,
  user: string,
  groups: readonly string[],
): Role | undefined {
  const lists = { viewer: viewers, operator: operators, admin: admins }
  const names = groups.flatMap((each) => each.split(',')).map((name) => name.trim())
  return ROLES.findLast((role) => isListed(lists[role], user, names))
}

/** The last address of X-Forwarded-For that is no proxy: what is before it, the client may have written. */
function clientOf({ trustedProxies }: Proxy, headers: RawHeaders, peer: string): string {
  const trusted = trustedProxies.map((each) => readPrefix(each)!)
  const isTrusted = (address: string): boolean =>
    trusted.some((each) => contains(each, readPrefix(address)!))
  const way = valuesOf(headers, 'x-forwarded-for')
    .flatMap((each) => each.split(','))
    .map((each) => each.trim())
  const client = way.findLast((each) => isIP(each) === 0 || !isTrusted(each))
  return client !== undefined && isIP(client) !== 0 ? client : peer
}

/** Of a header, in UTF-8. @param name in lower case. */
function valuesOf(headers: RawHeaders, name: string): string[] {
  const values: string[] = []
  for (let at = 0; at < headers.length; at += 2) {
    if (headers[at]!.toLowerCase() !== name) continue
    values.push(
      Buffer.from(headers[at + 1]!, 'latin1')
        .toString('utf8')
        .trim(),
    )
  }
  return values
}
