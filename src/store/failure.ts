import { messageOf, UserError } from '../base/errors'

/** What is wrong with Redis, in the same words for every error of the kind. */
export interface Trouble {
  /** Follows "Redis"; contains the code of Redis or of the system. */
  readonly what: string
  readonly advice: string
  /** It concerns one tenant or one call: others may be answered meanwhile. */
  readonly single?: true
}

const OUR_SETTINGS = '[redis] of unregistered-domain.ini'
const LOGIN = `check username and password in ${OUR_SETTINGS}`

/** By the code of an answer of Redis. */
const BY_CODE: Readonly<Record<string, Trouble>> = {
  READONLY: {
    what: 'is a replica and accepts no writes (READONLY)',
    advice: `name the primary in ${OUR_SETTINGS}, or make this one the primary: REPLICAOF NO ONE`,
  },
  OOM: {
    what: 'has no memory left and accepts no writes (OOM)',
    advice: 'raise its maxmemory, or remove other data from it',
  },
  LOADING: {
    what: 'is still reading its data from disk (LOADING)',
    advice: 'wait; INFO persistence says how long',
  },
  MASTERDOWN: {
    what: 'is a replica that has lost its primary (MASTERDOWN)',
    advice: `bring the primary back or name it in ${OUR_SETTINGS}, or make this one the primary: REPLICAOF NO ONE`,
  },
  NOAUTH: { what: 'wants a password (NOAUTH)', advice: LOGIN },
  WRONGPASS: { what: 'rejects our user name and password (WRONGPASS)', advice: LOGIN },
  NOPERM: {
    what: 'does not allow our user a command or key that we need (NOPERM)',
    advice: 'allow it in the ACL; ACL LOG names it',
  },
  WRONGTYPE: {
    what: 'holds something else under a key of ours (WRONGTYPE)',
    advice:
      'find who else writes under our prefix, and delete that key of the tenant: it is not a hash',
    single: true,
  },
  BUSY: {
    what: 'runs a script that does not end (BUSY)',
    advice:
      'end it with SCRIPT KILL, or where that is refused with SHUTDOWN NOSAVE; it is not a script of this plugin',
  },
  NOREPLICAS: {
    what: 'has fewer replicas than min-replicas-to-write demands (NOREPLICAS)',
    advice: 'bring its replicas back, or lower min-replicas-to-write',
  },
  CLUSTERDOWN: {
    what: 'is a cluster in which no node serves some slots (CLUSTERDOWN)',
    advice: 'bring the primary of these back: redis-cli --cluster check',
  },
  TRYAGAIN: {
    what: 'is moving that tenant between two nodes (TRYAGAIN)',
    advice: 'wait; where that does not end: redis-cli --cluster fix',
    single: true,
  },
  MOVED: {
    what: 'is a node of a cluster (MOVED)',
    advice: `name the nodes in cluster[] instead of host, in ${OUR_SETTINGS}`,
  },
  MISCONF: {
    what: 'cannot save to its disk and accepts no writes (MISCONF)',
    advice: 'make room on that disk, or correct its dir; its own log says why',
  },
  DENIED: {
    what: 'is in protected mode and serves its own machine only (DENIED)',
    advice: `give it a password, and put that into ${OUR_SETTINGS}`,
  },
}

const NO_CONNECTION: Trouble = {
  what: 'is not connected',
  advice: `start it, or correct host and port in ${OUR_SETTINGS}`,
}

const CLOSED: Trouble = {
  what: 'closes the connection',
  advice: `see its own log; if it wants TLS, set tls=true in ${OUR_SETTINGS}`,
}

const UNRESOLVED: Trouble = {
  what: 'cannot be found: its name does not resolve',
  advice: `correct host in ${OUR_SETTINGS}, or repair the DNS`,
}

const UNREACHABLE: Trouble = {
  what: 'does not accept the connection',
  advice: `see host, port and tls in ${OUR_SETTINGS}, and what is between`,
}

const NO_TLS: Trouble = {
  what: 'does not speak TLS on that port',
  advice: `set tls=false in ${OUR_SETTINGS}, or name its tls-port`,
}

/** By the code of an error of the system. */
const BY_SYSTEM_CODE: Readonly<Record<string, Trouble>> = {
  ENOTFOUND: UNRESOLVED,
  EAI_AGAIN: UNRESOLVED,
  ECONNREFUSED: {
    what: 'is not there: nothing listens on that port (ECONNREFUSED)',
    advice: NO_CONNECTION.advice,
  },
  ETIMEDOUT: UNREACHABLE,
  EHOSTUNREACH: UNREACHABLE,
  ENETUNREACH: UNREACHABLE,
  ECONNRESET: CLOSED,
  EPIPE: CLOSED,
  EPROTO: NO_TLS,
}

/** By text: errors of ioredis, of OpenSSL within another error, and `ERR` answers of Redis have no code that tells more. */
const BY_TEXT: readonly (readonly [RegExp, Trouble])[] = [
  [/can't (run this command|access)|ACL failure in script/, BY_CODE['NOPERM']!],
  [/ERR (invalid password|AUTH\b)/, BY_CODE['WRONGPASS']!],
  [
    /max number of clients/,
    {
      what: 'accepts no more connections (max number of clients reached)',
      advice: 'raise its maxclients, or find out who holds so many: CLIENT LIST',
    },
  ],
  [
    /DB index is out of range/,
    { what: 'has no database of that number', advice: `correct db in ${OUR_SETTINGS}` },
  ],
  [
    /cluster support disabled/,
    {
      what: 'is not a cluster',
      advice: `name it in host and port instead of cluster[], in ${OUR_SETTINGS}`,
    },
  ],
  [
    /Script killed by user/,
    { what: 'was told to end a script of ours (SCRIPT KILL)', advice: 'nothing', single: true },
  ],
  [
    /ERR unknown command/i,
    {
      what: 'does not know a command that we need',
      advice: 'use Redis 6.2 or later, and rename no commands',
    },
  ],
  [
    /Unknown RESP type|Protocol error/,
    {
      what: 'does not answer there: another kind of server does',
      advice: `correct host and port in ${OUR_SETTINGS}`,
    },
  ],
  [/wrong version number|packet length too long/, NO_TLS],
  [/Connection closed before/, CLOSED],
  [
    /Command timed out|no answer within|Socket timeout/,
    {
      what: 'did not answer in time',
      advice: 'see whether it hangs, and what it is busy with: redis-cli --latency, SLOWLOG GET',
    },
  ],
  [
    /isn't writeable|isn't ready|Connection is closed|connection close|max retries|refresh slots/i,
    NO_CONNECTION,
  ],
]

/** What is wrong with Redis; `undefined`: nothing that we know. */
export function troubleOf(error: unknown): Trouble | undefined {
  const code = errorCode(error)
  if (code !== undefined && Object.hasOwn(BY_CODE, code)) return BY_CODE[code]
  const message = messageOf(error)
  const noPrimary = NO_PRIMARY.exec(message)
  if (noPrimary) return withoutPrimary(noPrimary[1]!, noPrimary[2]!)
  return (
    BY_SYSTEM_CODE[systemCode(error) ?? ''] ??
    BY_TEXT.find(([pattern]) => pattern.test(message))?.[1]
  )
}

/** `ECONNREFUSED` …; ioredis gives the errors of sentinels and nodes as text, in which Node has put the code. */
function systemCode(error: unknown): string | undefined {
  const { code } = Object(error) as { code?: unknown }
  if (typeof code === 'string' && Object.hasOwn(BY_SYSTEM_CODE, code)) return code
  const words = messageOf(error).match(/\bE[A-Z_]{3,}\b/g) ?? []
  return words.find((word) => Object.hasOwn(BY_SYSTEM_CODE, word))
}

/** The message of the connection where Sentinel names no primary. */
const NO_PRIMARY = /^(no sentinel names the primary of .+?): (.*)$/s

function withoutPrimary(found: string, reason: string): Trouble {
  const trouble = troubleOf(reason)
  const why = trouble ? `the last one asked ${trouble.what}` : stableMessage(reason)
  return {
    what: `cannot be found: ${found}, and ${why}`,
    advice: `start the sentinels, or correct sentinels[], sentinel_name and sentinel_password in ${OUR_SETTINGS}`,
  }
}

/** Whether there is no connection at all; the connection itself reports why. */
export function isNotConnected(error: unknown): boolean {
  return troubleOf(error) === NO_CONNECTION
}

/** Whether the connection was closed; the next attempt may tell why. */
export function isClosed(error: unknown): boolean {
  return troubleOf(error) === CLOSED
}

/** Why Redis gave no answer, in a few stable words. */
export function redisFailure(error: unknown): string {
  const trouble = troubleOf(error)
  if (trouble === NO_CONNECTION) return 'no connection to Redis'
  return trouble ? `Redis ${trouble.what}` : `Redis: ${stableMessage(error)}`
}

/** Where a script failed, in the words of Redis 7 and Redis 6.2. */
const SCRIPT_PLACE = / script: [0-9a-f]{40}, on @.*$|\(call to f_[0-9a-f]{40}\)/g
const LONGEST_MESSAGE = 200

/** The message of an error, without what differs from one error to the next. */
export function stableMessage(error: unknown): string {
  return messageOf(error).replace(SCRIPT_PLACE, '').slice(0, LONGEST_MESSAGE)
}

/**
 * The code of an answer of Redis: `ERR`, `READONLY` … Redis has it in the text only. Before Redis 7 the code of a command in
 * a script is within an `ERR Error running script`; a Cluster client puts its own words before it.
 */
export function errorCode(error: unknown): string | undefined {
  const message = messageOf(error)
  const match =
    /^ERR Error running script.* -([A-Z]+) /.exec(message) ??
    /^Too many Cluster redirections. Last error: (?:\w*Error: )?([A-Z]+) /.exec(message) ??
    /^([A-Z]+) /.exec(message)
  return match?.[1]
}

/**
 * With these codes Redis refuses a script before its first write: for its own state, which does not change while a script
 * runs, or with WRONGTYPE, where a script reads each key before it writes.
 */
const BEFORE_WRITING: ReadonlySet<string | undefined> = new Set([
  ...['READONLY', 'OOM', 'NOREPLICAS', 'MISCONF', 'WRONGTYPE'],
  ...['LOADING', 'MASTERDOWN', 'NOAUTH', 'BUSY', 'CLUSTERDOWN', 'TRYAGAIN', 'MOVED'],
])

/** Whether a call that failed so has certainly changed nothing, provided that it was sent once. */
export function changedNothing(error: unknown): boolean {
  // ioredis's message for a command that it has not sent; the error has no code.
  return BEFORE_WRITING.has(errorCode(error)) || /^Stream isn't writeable/.test(messageOf(error))
}

/** Whether the same call would fail in the same way at any time: because of the data, or by a fault of the script. */
export function isHopeless(error: unknown): boolean {
  const code = errorCode(error)
  if (code === 'WRONGTYPE') return true
  return code === 'ERR' && /\buser_script: ?\d/.test(messageOf(error)) && !troubleOf(error)
}

/** Whether the ACL of Redis forbids our user the command, key or channel, directly or within a script. */
export function isNotAllowed(error: unknown): boolean {
  return troubleOf(error) === BY_CODE['NOPERM']
}

/** What ioredis throws: an error reply, a timeout, a lost connection. */
export function isRedisFailure(error: unknown): boolean {
  if (!(error instanceof Error) || error instanceof UserError) return false
  return (
    /^(ReplyError|AbortError|MaxRetriesPerRequestError|ClusterAllFailedError)$/.test(error.name) ||
    /^(Command timed out|Connection is closed|Stream isn't writeable|Cluster isn't ready|Too many Cluster)/.test(
      error.message,
    )
  )
}
