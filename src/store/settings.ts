import { isIP } from 'node:net'
import { InputError } from '../base/errors'
import { contentOf, host, section, site, type SettingsOf } from '../config/section'
import { boolean, integer, orNone, text } from '../config/values'
import { keyPrefix } from './keys'
import { pemCertificates, pemKey, tlsContradictions } from './tls-files'

export interface Endpoint {
  readonly host: string
  readonly port: number
}

/** `[redis]`: where Redis is. One of: a single server, Sentinel (`sentinels`), Cluster (`cluster`). */
export const REDIS = section(
  'redis',
  {
    host: host(hostName, '127.0.0.1'),
    port: host(integer(1, 65_535), '6379'),
    db: site(integer(0, 1_000_000), '0'),
    username: host(orNone(String), ''),
    password: host(password('password_file'), '', { secret: 'value', inFile: passwordIn }),
    tls: host(boolean, 'false'),
    /** The trusted authorities (PEM); `undefined`: those that come with Node. */
    tlsCa: host(contentOf(pemCertificates), ''),
    /** Our certificate, and those that lead from it to its authority (PEM). */
    tlsCert: host(contentOf(pemCertificates), ''),
    tlsKey: host(contentOf(pemKey), '', { secret: 'file' }),
    prefix: site((value) => keyPrefix(text(value)), 'ud:'),
    sentinels: host(endpoints, []),
    /** The name of the primary. */
    sentinelName: host(text, ''),
    sentinelUsername: host(orNone(String), ''),
    sentinelPassword: host(password('sentinel_password_file'), '', {
      secret: 'value',
      inFile: passwordIn,
    }),
    cluster: host(endpoints, []),
    /** How long a command may take, in ms. */
    commandTimeout: host(integer(10, 60_000), '500'),
  },
  {
    needsRestart: true,
    *contradictions(redis) {
      yield* tlsContradictions(redis)
      const { sentinels, sentinelName, cluster, db } = redis
      if (sentinels.length > 0 && sentinelName === '') {
        const message = 'sentinel_name: empty, but sentinels[] are set: name the primary they watch'
        yield { keys: ['sentinels', 'sentinel_name'], message }
      }
      if (sentinels.length > 0 && cluster.length > 0) {
        const message = 'cluster[] and sentinels[] are both set: keep one of them'
        yield { keys: ['cluster', 'sentinels'], message }
      }
      if (cluster.length > 0 && db !== 0) {
        const message = `db: ${db}, but a Redis Cluster has database 0 only`
        yield { keys: ['db', 'cluster'], message }
      }
    },
  },
)
export type RedisSettings = SettingsOf<typeof REDIS>

/** Messages repeat it, and a URL could hold a password. */
function hostName(value: unknown): string {
  const name = text(value)
  if (name === '') throw new InputError('is empty')
  if (/[@/]/.test(name)) throw new InputError('is no host name or address: give that alone')
  if (isIP(name) !== 0 || /^[\w.-]+$/.test(name)) return name
  throw new InputError(`"${name}" is no host name or address: give that alone, without a port`)
}

function endpoints(value: unknown): Endpoint[] {
  const values: unknown[] = Array.isArray(value) ? value : [value]
  return values.map((each) => {
    const match = /^(?:\[([\da-fA-F:]+)\]|([^:[\]\s]+)):(\d+)$/.exec(text(each))
    // Perhaps a URL, with a password.
    if (/[@/]/.test(text(each))) throw new InputError('is not HOST:PORT, without user and password')
    if (!match) throw new InputError(`"${text(each)}" is not HOST:PORT`)
    return { host: match[1] ?? match[2]!, port: integer(1, 65_535)(match[3]) }
  })
}

/** @param fileKey the key to use in its place. */
function password(fileKey: string): (value: unknown) => string | undefined {
  return (value) => {
    if (typeof value !== 'number') return orNone(String)(value)
    throw new InputError(
      `a password of digits only is read as a number and may lose digits: put it into a file of its own and name that in ${fileKey}`,
    )
  }
}

/** In octets. */
const LONGEST_PASSWORD = 1024

/** Redis gets what the file holds: it must be a password, and no other file that was named by mistake. */
function passwordIn(file: string, content: string): string {
  const found = content.trim()
  if (found === '') throw new InputError(`${file} is empty: put the password there`)
  if (/[\r\n]/.test(found)) {
    throw new InputError(`${file} holds more than one line: leave the password alone there`)
  }
  if (Buffer.byteLength(found) > LONGEST_PASSWORD) {
    throw new InputError(`${file} holds more than ${LONGEST_PASSWORD} octets: that is no password`)
  }
  return found
}
