import { InputError } from '../../base/errors'
import type { RedisSettings } from '../../store/settings'

const EXAMPLE = 'for example redis://127.0.0.1:6379/0'

/** Keys of `[redis]` that a URL leaves as they are. */
export const NOT_IN_URL: readonly string[] = ['prefix', 'tls_ca', 'tls_cert', 'tls_key']

/**
 * Reads `redis://[USER:PASSWORD@]HOST[:PORT][/DB]`, or `rediss://` for TLS, over other settings.
 *
 * @throws {InputError} with an example of such a URL; a password in it is not repeated.
 */
export function redisFromUrl(text: string, base: RedisSettings): RedisSettings {
  if (!URL.canParse(text)) throw new InputError(`--redis: this is not a URL; write one, ${EXAMPLE}`)
  const url = new URL(text)
  if (url.protocol !== 'redis:' && url.protocol !== 'rediss:') {
    throw new InputError(`--redis: "${url.protocol}" is not redis: or rediss: (TLS); ${EXAMPLE}`)
  }
  const db = /^\/?(\d{1,6})?$/.exec(url.pathname)
  if (!db || !url.hostname) {
    throw new InputError(`--redis: write redis://HOST:PORT/DB, ${EXAMPLE}`)
  }
  return {
    ...base,
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: url.port === '' ? 6379 : Number(url.port),
    db: Number(db[1] ?? 0),
    username: decoded(url.username),
    password: decoded(url.password),
    tls: url.protocol === 'rediss:',
    sentinels: [],
    cluster: [],
  }
}

function decoded(part: string): string | undefined {
  try {
    return decodeURIComponent(part) || undefined
  } catch {
    throw new InputError('--redis: write a % in user or password as %25')
  }
}
