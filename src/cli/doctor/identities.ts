import { parseCIDR } from 'ipaddr.js'
import type { Config } from '../../process/config'
import { pluginNames } from '../../config/haraka-checks'
import type { HarakaFiles } from '../../config/haraka-files'
import { connectorId } from '../../mail/identities'
import type { Connector } from '../../mail/tenant'
import { tenantctl } from '../../base/command-line'
import { count } from '../../base/count'
import { isAuthPlugin } from './plugins'
import { fail, ok, warn, type Line } from './line'

/** Prefixes shorter than these hold more than one organisation. */
const WIDEST = { ipv4: 16, ipv6: 32 } as const

/** Ranges that are private or translated by NAT (names as in ipaddr.js, RFC 6890). */
const PRIVATE: ReadonlySet<string> = new Set([
  'private',
  'loopback',
  'linkLocal',
  'uniqueLocal',
  'carrierGradeNat',
])

/** Connectors that recognise too many sessions. */
export function checkBreadth(connectors: readonly Connector[]): Line[] {
  const lines = connectors.flatMap((connector) =>
    connector.ip.flatMap((ip) => breadth(connector, ip)),
  )
  if (lines.length > 0) return lines
  return [
    ok('connectors', `no range of ${count(connectors.length, 'connector')} is too wide or private`),
  ]
}

function breadth(connector: Connector, prefix: string): Line[] {
  const id = connectorId(connector.tenant, connector.name)
  const subject = `${id} ${prefix}`
  const [address, length] = parseCIDR(prefix)
  const lines: Line[] = []
  const widest = WIDEST[address.kind()]
  if (length < widest) {
    lines.push(
      warn(
        'connectors',
        `${id} accepts ${prefix}, wider than /${widest}: is all of it ${connector.tenant}?`,
        `give the ranges of its servers: ${tenantctl('connector', 'remove', connector.tenant, connector.name)}, then add it again`,
        { subject, problem: 'ranges are too wide for one organisation' },
      ),
    )
  }
  if (PRIVATE.has(address.range())) {
    lines.push(
      warn(
        'connectors',
        `${id} accepts ${prefix}, a private range: behind NAT or a proxy every session is ${connector.tenant}`,
        'make sure that Haraka sees the real source address (PROXY protocol, XCLIENT), or recognise this tenant by AUTH or certificate',
        {
          subject,
          problem: 'ranges are private: behind NAT or a proxy every session is one tenant',
        },
      ),
    )
  }
  return lines
}

/** Checks that Haraka can see the identities of the connectors. */
export function checkMethods(
  connectors: readonly Connector[],
  files: HarakaFiles | undefined,
  { attribution }: Config,
): Line[] {
  const lines: Line[] = []
  const switchedOff = (key: 'auth' | 'tls' | 'ip', example: Connector | undefined): void => {
    if (!example || attribution[key]) return
    lines.push(
      warn(
        'attribution',
        `[attribution] ${key}=false, but connectors need it, such as ${connectorId(example.tenant, example.name)}`,
        `set ${key}=true in [attribution] of unregistered-domain.ini`,
      ),
    )
  }
  const byAuth = connectors.find(({ auth }) => auth.length > 0)
  switchedOff('auth', byAuth)
  switchedOff(
    'tls',
    connectors.find(({ cert, certSha256 }) => cert.length + certSha256.length > 0),
  )
  switchedOff(
    'ip',
    connectors.find(({ ip }) => ip.length > 0),
  )
  if (files && byAuth && attribution.auth && !pluginNames(files).some(isAuthPlugin)) {
    lines.push(
      warn(
        'attribution',
        `connectors such as ${connectorId(byAuth.tenant, byAuth.name)} are recognised by AUTH user, but config/plugins names no known AUTH plugin`,
        'add an AUTH plugin to config/plugins, unless a plugin of your own offers AUTH',
      ),
    )
  }
  return lines
}

/** Checks that Haraka asks clients for certificates where connectors need them (Haraka `tls_socket.js`). */
export function checkCertificates(connectors: readonly Connector[], files: HarakaFiles): Line[] {
  const named = connectors.filter(({ cert }) => cert.length > 0)
  const pinned = connectors.filter(({ certSha256 }) => certSha256.length > 0)
  const going = count(new Set([...named, ...pinned]).size, 'connector')
  if (named.length + pinned.length === 0) return []
  const tls = tlsSettings(files)
  const lines: Line[] = []
  if (!tls.offered) {
    lines.push(
      fail(
        'certificates',
        `certificates recognise ${going}, but Haraka offers no TLS`,
        'add tls to config/plugins, or listen on the SMTPS port in smtp.ini',
      ),
    )
  }
  if (!tls.requestCert) {
    lines.push(
      fail(
        'certificates',
        `certificates recognise ${going}, but tls.ini has requestCert=false: no client shows one`,
        'set requestCert=true in [main] of tls.ini, and restart Haraka',
      ),
    )
  }
  if (pinned.length > 0 && tls.rejectUnauthorized) {
    lines.push(
      warn(
        'certificates',
        'tls.ini has rejectUnauthorized=true: a pinned certificate that the CA did not sign ends the session before the plugin sees it',
        'set rejectUnauthorized=false in tls.ini; unverified certificates are not trusted either way',
      ),
    )
  }
  if (lines.length === 0) {
    const by = tls.ca ? `against ${tls.ca}` : "against Node's public CAs (tls.ini has no ca=)"
    lines.push(ok('certificates', `clients are asked for certificates, verified ${by}`))
  }
  return lines
}

function tlsSettings(files: HarakaFiles): {
  offered: boolean
  requestCert: boolean
  rejectUnauthorized: boolean
  ca: string
} {
  const tls = files.ini('tls.ini')
  // [*] overrides [main] (applySocketOpts).
  const value = (key: string): string => String(tls['*']?.[key] ?? tls['main']?.[key] ?? '')
  const truth = (key: string, fallback: boolean): boolean =>
    value(key) === '' ? fallback : /^(?:true|yes|ok|enabled|on|1)$/i.test(value(key))
  return {
    offered: pluginNames(files).includes('tls') || listensOnSmtps(files),
    requestCert: truth('requestCert', true),
    rejectUnauthorized: truth('rejectUnauthorized', false),
    ca: value('ca'),
  }
}

/** Haraka `server.js`: a listener on `smtps_port` (465) speaks TLS from the start. */
function listensOnSmtps(files: HarakaFiles): boolean {
  const main = files.ini('smtp.ini')['main'] ?? {}
  const port = String(main['smtps_port'] ?? 465)
  return String(main['listen'] ?? '')
    .split(/\s*,\s*/)
    .some((listener) => listener.endsWith(`:${port}`))
}
