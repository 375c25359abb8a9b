import path from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import {
  alertContradictions,
  mailAddress,
  mailAddresses,
  webhookSecret,
  webhookUrl,
  type AlertSettings,
} from '../alerts/settings'
import { parseLimits, type Limits } from '../mail/limits'
import {
  boolean,
  domain,
  domains,
  endpoints,
  hostName,
  integer,
  ipAddress,
  oneOf,
  optional,
  ownHeaderName,
  percents,
  text,
} from '../config/values'
import { InputError } from '../base/errors'
import { harakaFiles, queueParent } from '../config/haraka-files'
import { keyId, type IniLines } from '../config/ini-lines'
import { readOwnedFile, ROOT } from '../base/owned-file'
import { packageRoot } from '../base/package-root'
import { MOST_DAYS_KEPT } from '../reporting/bounds'
import type { RedisSettings } from '../store/connection'
import { keyPrefix } from '../store/keys'
import { MODES, type Mode } from '../mail/mode'
import {
  SettingsReader,
  type ConfigError,
  type Contradiction,
  type KnownKeys,
  type RawIni,
  type Read,
  type Running,
  type Settings,
} from '../config/settings-reader'
import { pemCertificates, pemKey, tlsContradictions } from '../config/tls-files'

export type { RawIni }

/** Name of the ini file in Haraka's config directory. */
export const CONFIG_FILE = 'unregistered-domain.ini'

/** In octets. */
const LONGEST_PASSWORD = 1024
/** Characters of a secret for SRS, at least. */
const LEAST_SRS_SECRET = 16
const MAKE_SECRET = 'make one with: openssl rand -base64 24'

/** The ini file, parsed and validated. `config/unregistered-domain.ini` says what each key means. */
export interface Config {
  /** uid of who owns the ini file, by which is decided what it may name ({@link readOwnedFile}). */
  readonly owner: number
  readonly main: {
    readonly mode: Mode
    readonly override: 'monitor' | 'off' | undefined
    readonly refuseAt: 'mail' | 'rcpt'
  }
  readonly allowance: {
    readonly limits: Limits
    /** percent, ascending */
    readonly warnAt: readonly number[]
  }
  readonly null: { readonly limits: Limits }
  readonly forwarded: {
    /** What happens to proven forwards of a restricted tenant. */
    readonly whenRestricted: 'refuse' | 'accept'
    /** Domains whose ARC seals are believed. */
    readonly arcSealers: readonly string[]
  }
  readonly foreign: { readonly action: 'charge' | 'refuse' }
  readonly headerFrom: { readonly check: 'off' | 'report' | 'charge' }
  readonly egress: {
    /** Local address that unregistered mail leaves from; empty: as all mail. */
    readonly bind: string
    /** Name that it greets with; empty: as all mail. */
    readonly helo: string
  }
  readonly srs: {
    /** Empty: off. */
    readonly domain: string
    /** The first signs; all are good. Not empty where there is a domain. */
    readonly secrets: readonly string[]
  }
  /** Name of the header that tells the next hop; empty: none. */
  readonly tag: { readonly header: string }
  readonly restriction: { readonly queued: 'deliver' | 'hold' }
  readonly attribution: {
    readonly auth: boolean
    readonly tls: boolean
    readonly ip: boolean
    readonly authUserDomain: boolean
    /** Name of a connection note; empty: none. */
    readonly note: string
    readonly grantRelay: boolean
    readonly unknown: 'ignore' | 'deny'
  }
  readonly redis: RedisSettings
  readonly outage: {
    readonly unregistered: 'tempfail' | 'accept'
    /** Path of the snapshot file; empty: none. */
    readonly snapshot: string
  }
  readonly tenants: { readonly file: string; readonly apply: boolean }
  readonly reply: {
    /** Whether the case stands behind the text of a refusal. */
    readonly case: boolean
  }
  readonly report: {
    /** How long reports are kept, in days. */
    readonly days: number
    /** Whether anything is kept that tells of a person: Message-IDs, HELO names, addresses, AUTH users, certificates. */
    readonly samples: boolean
  }
  readonly alerts: AlertSettings
  readonly unusual: UnusualSettings
  readonly case: { readonly checklist: 'advise' | 'require' }
}

/** The numbers of the rules of unusual mail; 0 turns a rule off. */
export interface UnusualSettings {
  /** First unregistered mail after so many days without. */
  readonly quietDays: number
  /** From so many recipients on. */
  readonly quietRecipients: number
  /** Distinct unregistered domains in an hour. */
  readonly domains: number
  /** Unregistered recipients in an hour, as a multiple of the busiest hour of the seven days before. */
  readonly volume: number
  /** Registered recipients in an hour after a restriction, as a multiple of the same. */
  readonly registeredVolume: number
  readonly nullVolume: number
  /** Unregistered recipients in 24 hours through a connector that is new, or just changed, on top of what is usual. */
  readonly newConnector: number
  /** The same from addresses, or AUTH users, that are new. */
  readonly newSource: number
  /** Percent of the daily limit, used on five of seven days. */
  readonly steady: number
  /** Recipients of foreign mail in 24 hours, on top of what is usual. */
  readonly foreign: number
  /** Percent of the registered messages looked at whose header From names no accepted domain. */
  readonly headerFrom: number
  /** Recipients in an hour below which no hour is unusual. */
  readonly least: number
}

/** A configuration, and what is wrong in its file. */
export interface ParsedConfig {
  /** What is in effect. */
  readonly config: Config
  /** In the order of the file. */
  readonly errors: readonly ConfigError[]
  /** Whether none of the errors is in `[redis]`: else we might speak to the wrong Redis. */
  readonly redisUsable: boolean
  /** What the file has otherwise than the running process, which needs a restart to use it: `[redis]`, `[outage] snapshot`. */
  readonly restart: readonly string[]
  /** What is in effect, key by key. */
  readonly settings: Settings
}

const KNOWN_KEYS: Readonly<Record<string, readonly string[]>> = {
  main: ['mode', 'override', 'refuse_at'],
  allowance: ['limits', 'warn_at'],
  null: ['limits'],
  forwarded: ['when_restricted', 'arc_sealers'],
  foreign: ['action'],
  header_from: ['check'],
  egress: ['bind', 'helo'],
  srs: ['domain', 'secret', 'secret_file'],
  tag: ['header'],
  restriction: ['queued'],
  attribution: ['auth', 'tls', 'ip', 'auth_user_domain', 'note', 'grant_relay', 'unknown'],
  redis: [
    'host',
    'port',
    'db',
    'username',
    'password',
    'password_file',
    'tls',
    'tls_ca',
    'tls_cert',
    'tls_key',
    'prefix',
    'sentinels',
    'sentinel_name',
    'sentinel_username',
    'sentinel_password',
    'sentinel_password_file',
    'cluster',
    'command_timeout',
  ],
  outage: ['unregistered', 'snapshot'],
  tenants: ['file', 'apply'],
  reply: ['case'],
  report: ['days', 'samples'],
  alerts: ['webhook', 'webhook_secret', 'webhook_secret_file', 'mail_to', 'mail_from'],
  unusual: [
    'quiet_days',
    'quiet_recipients',
    'domains',
    'volume',
    'registered_volume',
    'null_volume',
    'new_connector',
    'new_source',
    'steady',
    'foreign',
    'header_from',
    'least',
  ],
  case: ['checklist'],
}

const differs = (started: unknown, now: unknown): boolean => !isDeepStrictEqual(started, now)

/** What a process reads at its start only. */
const NEEDS_RESTART: KnownKeys['restart'] = {
  '[redis]': differs,
  '[outage] snapshot': differs,
  '[tenants] file': differs,
  '[tenants] apply': differs,
  // A process that has started with a header takes any other, or none.
  '[tag] header': (started, now) => started === '' && now !== '',
}

/** Keys that hold a secret. */
export const SECRETS = [
  ['redis', 'password'],
  ['redis', 'sentinel_password'],
  ['alerts', 'webhook_secret'],
  ['srs', 'secret'],
] as const

/** Keys that name a file with a secret. */
export const SECRET_FILES = [
  ['redis', 'password_file'],
  ['redis', 'sentinel_password_file'],
  ['redis', 'tls_key'],
  ['alerts', 'webhook_secret_file'],
  ['srs', 'secret_file'],
] as const

const KNOWN: KnownKeys = {
  keys: KNOWN_KEYS,
  restart: NEEDS_RESTART,
  // The path of a webhook may be secret, too; and of a file its content is in effect, not its name.
  secret: [...SECRETS, ...SECRET_FILES, ['alerts', 'webhook'] as const].map(([section, key]) =>
    keyId(section, key),
  ),
  shipped: () => harakaFiles(path.join(packageRoot(), 'config')).ini(CONFIG_FILE),
}

/** Where the values of an ini file come from. */
export interface Source {
  /** uid of who owns the file. Without a file nothing is named but what we ship. */
  readonly owner?: number
  /** Its lines, for messages. */
  readonly lines?: IniLines
  /** `undefined` at the start. */
  readonly running?: Running | undefined
}

/**
 * Parses the ini file as haraka-config read it.
 *
 * @param directory Haraka's config directory: files that are named relative to it or to the queue are found from there.
 */
export function parseConfig(
  raw: RawIni,
  directory: string,
  { owner = ROOT, lines, running }: Source = {},
): ParsedConfig {
  const reader = new SettingsReader(raw, KNOWN, lines, running)
  const written = configOf(reader.read, directory, owner)
  for (const [section, found] of Object.entries(contradictions(written))) {
    reader.contradict(section, found)
  }
  const restart = reader.keepStarted()
  const config = configOf(reader.inEffect, directory, owner)
  const errors = reader
    .errors()
    .map((error) =>
      error.section === 'redis' && !running ? { ...error, instead: 'Redis is not asked' } : error,
    )
  const redisUsable = errors.every(({ section }) => section !== 'redis')
  return { config, errors, redisUsable, restart, settings: reader.settings }
}

function configOf(read: Read, directory: string, owner: number): Config {
  const named: ReadNamed = (section, key, parse) =>
    read(section, key, undefined, (value) => {
      const file = text(value)
      if (file === '') return undefined
      return parse(file, readOwnedFile(path.resolve(directory, file), owner).content.toString())
    })
  const limits = parseLimits('300/1h, 1500/1d')

  return {
    owner,
    main: {
      mode: read('main', 'mode', 'enforce', oneOf(MODES)),
      override: read('main', 'override', undefined, (value) =>
        value === '' ? undefined : oneOf(['monitor', 'off'] as const)(value),
      ),
      refuseAt: read('main', 'refuse_at', 'mail', oneOf(['mail', 'rcpt'] as const)),
    },
    allowance: {
      limits: read('allowance', 'limits', limits, (value) => parseLimits(text(value))),
      warnAt: read('allowance', 'warn_at', [50, 80, 95], percents),
    },
    null: { limits: read('null', 'limits', limits, (value) => parseLimits(text(value))) },
    forwarded: {
      whenRestricted: read(
        'forwarded',
        'when_restricted',
        'refuse',
        oneOf(['refuse', 'accept'] as const),
      ),
      arcSealers: read('forwarded', 'arc_sealers', [], domains),
    },
    foreign: { action: read('foreign', 'action', 'charge', oneOf(['charge', 'refuse'] as const)) },
    headerFrom: {
      check: read('header_from', 'check', 'report', oneOf(['off', 'report', 'charge'] as const)),
    },
    egress: {
      bind: read('egress', 'bind', '', ipAddress),
      helo: read('egress', 'helo', '', domain),
    },
    srs: readSrs(read, named),
    tag: { header: read('tag', 'header', '', ownHeaderName) },
    restriction: {
      queued: read('restriction', 'queued', 'deliver', oneOf(['deliver', 'hold'] as const)),
    },
    attribution: {
      auth: read('attribution', 'auth', true, boolean),
      tls: read('attribution', 'tls', true, boolean),
      ip: read('attribution', 'ip', true, boolean),
      authUserDomain: read('attribution', 'auth_user_domain', true, boolean),
      note: read('attribution', 'note', '', text),
      grantRelay: read('attribution', 'grant_relay', false, boolean),
      unknown: read('attribution', 'unknown', 'ignore', oneOf(['ignore', 'deny'] as const)),
    },
    redis: {
      host: read('redis', 'host', '127.0.0.1', hostName),
      port: read('redis', 'port', 6379, integer(1, 65_535)),
      db: read('redis', 'db', 0, integer(0, 1_000_000)),
      username: read('redis', 'username', undefined, optional),
      password: readPassword(read, named, 'password'),
      tls: read('redis', 'tls', false, boolean),
      tlsCa: named('redis', 'tls_ca', pemCertificates),
      tlsCert: named('redis', 'tls_cert', pemCertificates),
      tlsKey: named('redis', 'tls_key', pemKey),
      prefix: read('redis', 'prefix', 'ud:', (value) => keyPrefix(text(value))),
      sentinels: read('redis', 'sentinels', [], endpoints),
      sentinelName: read('redis', 'sentinel_name', '', text),
      sentinelUsername: read('redis', 'sentinel_username', undefined, optional),
      sentinelPassword: readPassword(read, named, 'sentinel_password'),
      cluster: read('redis', 'cluster', [], endpoints),
      commandTimeout: read('redis', 'command_timeout', 500, integer(10, 60_000)),
    },
    outage: {
      unregistered: read(
        'outage',
        'unregistered',
        'tempfail',
        oneOf(['tempfail', 'accept'] as const),
      ),
      snapshot: snapshotPath(
        read('outage', 'snapshot', 'unregistered-domain.snapshot', text),
        directory,
      ),
    },
    tenants: {
      file: read('tenants', 'file', 'unregistered-domain.tenants.yaml', text),
      apply: read('tenants', 'apply', true, boolean),
    },
    reply: { case: read('reply', 'case', false, boolean) },
    report: {
      days: read('report', 'days', 90, integer(1, MOST_DAYS_KEPT)),
      samples: read('report', 'samples', true, boolean),
    },
    alerts: readAlerts(read, named),
    unusual: {
      quietDays: read('unusual', 'quiet_days', 30, integer(0, 365)),
      quietRecipients: read('unusual', 'quiet_recipients', 5, integer(1, 1_000_000)),
      domains: read('unusual', 'domains', 20, integer(0, 100)),
      volume: read('unusual', 'volume', 5, integer(0, 1000)),
      registeredVolume: read('unusual', 'registered_volume', 3, integer(0, 1000)),
      nullVolume: read('unusual', 'null_volume', 5, integer(0, 1000)),
      newConnector: read('unusual', 'new_connector', 50, integer(0, 1_000_000)),
      newSource: read('unusual', 'new_source', 50, integer(0, 1_000_000)),
      steady: read('unusual', 'steady', 60, integer(0, 100)),
      foreign: read('unusual', 'foreign', 20, integer(0, 1_000_000)),
      headerFrom: read('unusual', 'header_from', 20, integer(0, 100)),
      least: read('unusual', 'least', 20, integer(1, 1_000_000)),
    },
    case: { checklist: read('case', 'checklist', 'advise', oneOf(['advise', 'require'] as const)) },
  }
}

/** What a file holds that a key names; `undefined` where the key is empty. */
type ReadNamed = (
  section: string,
  key: string,
  parse: (file: string, content: string) => string | undefined,
) => string | undefined

function readAlerts(read: Read, named: ReadNamed): AlertSettings {
  const inFile = named('alerts', 'webhook_secret_file', (file, content) => {
    const secret = webhookSecret(content.trim())
    if (secret === undefined) throw new InputError(`${file} is empty: put the secret there`)
    return secret
  })
  return {
    webhook: read('alerts', 'webhook', '', (value) => webhookUrl(text(value))),
    webhookSecret:
      inFile ?? read('alerts', 'webhook_secret', undefined, (value) => webhookSecret(text(value))),
    mailTo: read('alerts', 'mail_to', [], (value) => mailAddresses(text(value))),
    mailFrom: read('alerts', 'mail_from', '', (value) => mailAddress(text(value))),
  }
}

function readSrs(read: Read, named: ReadNamed): Config['srs'] {
  const inFile = named('srs', 'secret_file', (_file, content) => content)
  const given = inFile ?? read('srs', 'secret', '', secretText)
  return {
    domain: read('srs', 'domain', '', domain),
    secrets: given.split(/\s+/).filter((secret) => secret !== ''),
  }
}

function secretText(value: unknown): string {
  if (typeof value === 'string') return value
  throw new InputError(`a secret of digits only is read as a number: ${MAKE_SECRET}`)
}

function readPassword(
  read: Read,
  named: ReadNamed,
  key: 'password' | 'sentinel_password',
): string | undefined {
  const inFile = named('redis', `${key}_file`, passwordIn)
  if (inFile !== undefined) return inFile
  return read('redis', key, undefined, (value) => {
    if (typeof value === 'number') {
      throw new InputError(
        `a password of digits only is read as a number and may lose digits: put it into a file of its own and name that in ${key}_file`,
      )
    }
    return optional(value)
  })
}

/** What is sent to Redis must be a password, and no other file that was named by mistake. */
function passwordIn(file: string, content: string): string {
  const password = content.trim()
  if (password === '') throw new InputError(`${file} is empty: put the password there`)
  if (/[\r\n]/.test(password)) {
    throw new InputError(`${file} holds more than one line: leave the password alone there`)
  }
  if (Buffer.byteLength(password) > LONGEST_PASSWORD) {
    throw new InputError(`${file} holds more than ${LONGEST_PASSWORD} octets: that is no password`)
  }
  return password
}

const ALERT_KEYS = ['webhook', 'webhook_secret', 'webhook_secret_file']
const SRS_KEYS = ['secret', 'secret_file', 'domain']
const TLS_KEYS = ['tls', 'tls_ca', 'tls_cert', 'tls_key']

/** By sections, what does not fit together. */
function contradictions({ redis, alerts, srs }: Config): Record<string, Contradiction[]> {
  return {
    redis: redisContradictions(redis),
    // An alert that anybody could forge is not sent.
    alerts: alertContradictions(alerts).map((message) => ({ keys: ALERT_KEYS, message })),
    srs: srsContradictions(srs),
  }
}

/** Without a secret that cannot be guessed anybody could make a sender that we unwrap. */
function srsContradictions({ domain, secrets }: Config['srs']): Contradiction[] {
  if (domain === '') return []
  if (secrets.length === 0) {
    return [{ keys: SRS_KEYS, message: `secret: empty, but domain is set: ${MAKE_SECRET}` }]
  }
  const short = secrets.find((secret) => secret.length < LEAST_SRS_SECRET)
  if (short === undefined) return []
  const message = `secret: a secret of ${short.length} characters is guessed: ${MAKE_SECRET}`
  return [{ keys: SRS_KEYS, message }]
}

function redisContradictions(redis: RedisSettings): Contradiction[] {
  const found: Contradiction[] = tlsContradictions(redis, redis.tls).map(([key, reason]) => ({
    keys: [key, ...TLS_KEYS],
    message: `${key}: ${reason}`,
  }))
  if (redis.sentinels.length > 0 && redis.sentinelName === '') {
    const message = 'sentinel_name: empty, but sentinels[] are set: name the primary they watch'
    found.push({ keys: ['sentinels', 'sentinel_name'], message })
  }
  if (redis.sentinels.length > 0 && redis.cluster.length > 0) {
    const message = 'cluster[] and sentinels[] are both set: keep one of them'
    found.push({ keys: ['cluster', 'sentinels'], message })
  }
  if (redis.cluster.length > 0 && redis.db !== 0) {
    const message = `db: ${redis.db}, but a Redis Cluster has database 0 only`
    found.push({ keys: ['db', 'cluster'], message })
  }
  return found
}

/** Beside Haraka's queue, since the user that Haraka runs as can write there. */
function snapshotPath(name: string, directory: string): string {
  return name === '' ? '' : path.resolve(queueParent(directory), name)
}
