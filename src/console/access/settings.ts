import path from 'node:path'
import { InputError } from '../../base/errors'
import { parsePrefix } from '../../base/ip-prefix'
import { isLoopback, listenParser, listenText, type Listen, type Socket } from '../../base/listen'
import { host, section, site, type SettingsOf } from '../../config/section'
import { resolverAddress } from '../../dns/server'
import { list, oneOf, orEmpty, orNone, text } from '../../config/values'

/** Before the name of a group in `viewers`, `operators` and `admins`. */
const GROUP = '@'

export const CONSOLE = section(
  'console',
  {
    listen: host(listen, '127.0.0.1:8025'),
    /** Scheme, host and path that browsers use, without a slash at the end; empty: where it listens. */
    publicUrl: site(orEmpty(publicUrl), ''),
    /** Further names of the host, each with a port where it is not that of the scheme. */
    hosts: host(hostNames, ''),
    auth: host(oneOf(['link', 'proxy']), 'link'),
    /** In lower case, as all names of headers. */
    userHeader: host(orNone(headerName), ''),
    groupsHeader: host(orNone(headerName), ''),
    /** Users, and groups as `@NAME`. */
    viewers: host(list, ''),
    operators: host(list, ''),
    admins: host(list, ''),
    proxySecretHeader: host((value) => headerName(text(value)), 'X-Console-Secret'),
    /** An absolute path. Only `tenantctl console` reads it: Haraka's user need not. */
    proxySecretFile: host(filePath, ''),
    /** Prefixes of addresses. */
    trustedProxies: host((value) => list(value).map(parsePrefix), ''),
    /** The Redis user that pages read with; `undefined`: that of `[redis]`. */
    readUsername: host(orNone(String), ''),
    /** An absolute path, as that of the secret. */
    readPasswordFile: host(filePath, ''),
    /** An absolute path; `undefined`: see `stateDirectory` of `tenantctl console`. */
    state: host(filePath, ''),
    /** The resolver that people may ask about domains, as node:dns takes it; `undefined`: that of the system. */
    dns: host(orNone(resolver), ''),
  },
  {
    *contradictions(settings) {
      const { auth, userHeader, groupsHeader, proxySecretFile, publicUrl } = settings
      const at = settings.listen
      if (settings.readUsername !== undefined && settings.readPasswordFile === undefined) {
        const message = 'read_password_file: empty, but read_username is set: name its file'
        yield { keys: ['read_username', 'read_password_file'], message }
      }
      if ('socket' in at && publicUrl === '') {
        const message = 'public_url: empty, but listen is a socket: name the URL that browsers use'
        yield { keys: ['listen', 'public_url'], message }
      }
      if (auth === 'link') {
        if ('socket' in at || isLoopback(at)) return
        const message = `listen: ${listenText(at)} can be reached from other machines, and auth=link is for this one: listen on 127.0.0.1 or a socket, or use auth=proxy`
        yield { keys: ['listen', 'auth'], message }
        return
      }
      if (userHeader === undefined) {
        const message = 'user_header: empty, but auth=proxy: name the header with the user'
        yield { keys: ['auth', 'user_header'], message }
      }
      if (!('socket' in at) && proxySecretFile === undefined) {
        const message =
          'proxy_secret_file: empty, but auth=proxy listens on no socket: any program could name any user; listen on unix:/PATH, or have the proxy send a secret'
        yield { keys: ['auth', 'listen', 'proxy_secret_file'], message }
      }
      if (publicUrl === '') {
        const message = 'public_url: empty, but auth=proxy: name the URL that browsers use'
        yield { keys: ['auth', 'public_url'], message }
      }
      const all = [...settings.viewers, ...settings.operators, ...settings.admins]
      if (all.length === 0) {
        const message =
          'viewers, operators and admins: all empty, but auth=proxy: no person could sign in'
        yield { keys: ['auth', 'viewers', 'operators', 'admins'], message }
      }
      if (groupsHeader === undefined && all.some((name) => name.startsWith(GROUP))) {
        const message =
          'groups_header: empty, but a list has a group: name the header with the groups'
        yield { keys: ['groups_header', 'viewers', 'operators', 'admins'], message }
      }
    },
  },
)
export type ConsoleSettings = SettingsOf<typeof CONSOLE>

/** Whether a list of `[console]` has a user or one of the groups. */
export function isListed(
  names: readonly string[],
  user: string,
  groups: readonly string[],
): boolean {
  // A user of that name would be in the list of a group.
  return (
    (!user.startsWith(GROUP) && names.includes(user)) ||
    groups.some((group) => names.includes(GROUP + group))
  )
}

const parseListen = listenParser(8025)

function listen(value: unknown): Listen | Socket {
  const given = text(value)
  if (!given.startsWith('unix:')) return parseListen(given)
  const socket = given.slice('unix:'.length)
  if (path.isAbsolute(socket)) return { socket: path.normalize(socket) }
  throw new InputError(`"${given}" is not unix:/PATH: write an absolute path`)
}

const LOOPBACK_NAME = /^(?:localhost|127(?:\.\d+){3}|\[::1\])$/

function publicUrl(given: string): string {
  const url = URL.canParse(given) ? new URL(given) : undefined
  if (!url || !['https:', 'http:'].includes(url.protocol) || url.hostname === '') {
    throw new InputError(`"${given}" is no URL: write https://HOST or https://HOST/PATH`)
  }
  if (url.protocol === 'http:' && !LOOPBACK_NAME.test(url.hostname)) {
    throw new InputError(`"${given}" would send sessions in clear text: write https://`)
  }
  const place = url.origin + url.pathname.replace(/\/+$/, '')
  if (
    !/^[\w:/.[\]~-]*$/.test(url.pathname) ||
    url.pathname.includes('//') ||
    url.href.replace(/\/+$/, '') !== place
  ) {
    throw new InputError(`"${given}" has more than a host and a path of letters, digits and -._~/`)
  }
  return place
}

function hostNames(value: unknown): string[] {
  return list(value).map((name) => {
    const origin = `https://${name}`
    if (URL.canParse(origin) && new URL(origin).origin === origin.toLowerCase())
      return name.toLowerCase()
    throw new InputError(`"${name}" is not HOST or HOST:PORT`)
  })
}

function headerName(given: string): string {
  // RFC 9110 §5.6.2
  if (/^[!#$%&'*+.^_`|~\w-]+$/.test(given)) return given.toLowerCase()
  throw new InputError(`"${given}" is no name of a header`)
}

function resolver(given: string): string {
  const server = resolverAddress(given)
  if (server !== undefined) return server
  throw new InputError(`"${given}" is no address of a resolver, such as 192.0.2.53 or [::1]:5353`)
}

function filePath(
  value: unknown,
  { directory }: { readonly directory: string },
): string | undefined {
  return text(value) === '' ? undefined : path.resolve(directory, text(value))
}
