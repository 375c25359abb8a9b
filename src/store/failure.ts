import { messageOf } from '../base/errors'

/** What is wrong with Redis, in words for people that are the same ones for every error of the kind. */
export interface Trouble {
  /** To stand behind "Redis", with the word that Redis or the system has for it. */
  readonly what: string
  readonly advice: string
  /** It is about one tenant, or one call: others may be answered meanwhile. */
  readonly single?: true
}

const OUR_SETTINGS = '[redis] of unregistered-domain.ini'
const LOGIN = `check username and password in ${OUR_SETTINGS}`

/** By the word at the start of what Redis answers. */
const BY_CODE: Readonly<Record<string, Trouble>> = {
  READONLY: {
    what: 'is a replica and takes no writes (READONLY)',
    advice: `name the primary in ${OUR_SETTINGS}, or make this one the primary: REPLICAOF NO ONE`,
  },
  OOM: {
    what: 'has no memory left and takes no writes (OOM)',
    advice: 'raise its maxmemory, or take out of it what is not ours',
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
  WRONGPASS: { what: 'does not take our user name and password (WRONGPASS)', advice: LOGIN },
  NOPERM: {
    what: 'does not allow our user a command or key that we need (NOPERM)',
    advice: 'allow it in the ACL; ACL LOG names it',
  },
  WRONGTYPE: {
    what: 'holds something else under a key of ours (WRONGTYPE)',
    advice:
      'find who else writes under our prefix, and delete that key of the tenant: it is no hash',
    single: true,
  },
  BUSY: {
    what: 'runs a script that does not end (BUSY)',
    advice:
      'end it with SCRIPT KILL, or where that is refused with SHUTDOWN NOSAVE; it is none of ours',
  },
  NOREPLICAS: {
    what: 'has fewer replicas than min-replicas-to-write demands (NOREPLICAS)',
    advice: 'bring its replicas back, or lower min-replicas-to-write',
  },
  CLUSTERDOWN: {
    what: 'is a cluster of which nobody serves some slots (CLUSTERDOWN)',
    advice: 'bring the primary of these back: redis-cli --cluster check',
  },
  TRYAGAIN: {
    what: 'has that tenant on the move between two nodes (TRYAGAIN)',
    advice: 'wait; where that does not end: redis-cli --cluster fix',
    single: true,
  },
  MOVED: {
    what: 'is a node of a cluster (MOVED)',
    advice: `name the nodes in cluster[] instead of host, in ${OUR_SETTINGS}`,
  },
  MISCONF: {
    what: 'cannot save to its disk and takes no writes (MISCONF)',
    advice: 'make room on that disk, or mend its dir; its own log says why',
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

/** By what ioredis, Node or the rest of Redis's answer says. */
const BY_WORDS: readonly (readonly [RegExp, Trouble])[] = [
  [/can't (run this command|access)|ACL failure in script/, BY_CODE['NOPERM']!],
  [/ERR (invalid password|AUTH\b)/, BY_CODE['WRONGPASS']!],
  [
    /max number of clients/,
    {
      what: 'takes no more connections (max number of clients reached)',
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
      what: 'is no cluster',
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
      what: 'is not what answers there: that is another kind of server',
      advice: `correct host and port in ${OUR_SETTINGS}`,
    },
  ],
  [
    /wrong version number|packet length too long|EPROTO/,
    {
      what: 'does not speak TLS on that port',
      advice: `set tls=false in ${OUR_SETTINGS}, or name its tls-port`,
    },
  ],
  [
    /ENOTFOUND|EAI_AGAIN/,
    {
      what: 'cannot be found: its name does not resolve',
      advice: `correct host in ${OUR_SETTINGS}, or mend the DNS`,
    },
  ],
  [
    /ECONNREFUSED/,
    {
      what: 'is not there: nothing listens on that port (ECONNREFUSED)',
      advice: NO_CONNECTION.advice,
    },
  ],
  [
    /connect ETIMEDOUT|EHOSTUNREACH|ENETUNREACH/,
    {
      what: 'does not take the connection',
      advice: `see host, port and tls in ${OUR_SETTINGS}, and what is between`,
    },
  ],
  [/ECONNRESET|EPIPE|Connection closed before/, CLOSED],
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

/** What is wrong with Redis; `undefined` where that is nothing we know. */
export function troubleOf(error: unknown): Trouble | undefined {
  const code = errorCode(error)
  if (code !== undefined && Object.hasOwn(BY_CODE, code)) return BY_CODE[code]
  const message = messageOf(error)
  const noPrimary = NO_PRIMARY.exec(message)
  if (noPrimary) return withoutPrimary(noPrimary[1]!, noPrimary[2]!)
  return BY_WORDS.find(([pattern]) => pattern.test(message))?.[1]
}

/** As the connection says it. */
const NO_PRIMARY = /^(no sentinel names the primary of .+?): (.*)$/s

function withoutPrimary(found: string, reason: string): Trouble {
  const trouble = troubleOf(reason)
  const why = trouble ? `the last one asked ${trouble.what}` : stableMessage(reason)
  return {
    what: `cannot be found: ${found}, and ${why}`,
    advice: `start the sentinels, or correct sentinels[], sentinel_name and sentinel_password in ${OUR_SETTINGS}`,
  }
}

/** Whether there is just no connection: why, that connection tells by itself. */
export function isNotConnected(error: unknown): boolean {
  return troubleOf(error) === NO_CONNECTION
}

/** Whether the connection was closed; why, the next attempt may tell. */
export function isClosed(error: unknown): boolean {
  return troubleOf(error) === CLOSED
}

/** Why Redis gave no answer, in a few stable words. */
export function redisFailure(error: unknown): string {
  const trouble = troubleOf(error)
  if (trouble === NO_CONNECTION) return 'no connection to Redis'
  return trouble ? `Redis ${trouble.what}` : `Redis: ${stableMessage(error)}`
}

/** Where a script failed, as Redis 7 and Redis 6.2 say it. */
const SCRIPT_PLACE = / script: [0-9a-f]{40}, on @.*$|\(call to f_[0-9a-f]{40}\)/g
const LONGEST_MESSAGE = 200

/** The message of an error without what differs from one to the next. */
export function stableMessage(error: unknown): string {
  return messageOf(error).replace(SCRIPT_PLACE, '').slice(0, LONGEST_MESSAGE)
}

/**
 * The word by which Redis names an error: `ERR`, `READONLY` … Before Redis 7 that of a script's command stands inside
 * of an `ERR Error running script`; a Cluster client puts its own words before it.
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
 * With these Redis refuses a script before its first write: it looks at its own state, which does not change while a
 * script runs. WRONGTYPE is one for scripts that read each key before they write.
 */
const BEFORE_WRITING: ReadonlySet<string | undefined> = new Set([
  ...['READONLY', 'OOM', 'NOREPLICAS', 'MISCONF', 'WRONGTYPE'],
  ...['LOADING', 'MASTERDOWN', 'NOAUTH', 'BUSY', 'CLUSTERDOWN', 'TRYAGAIN', 'MOVED'],
])

/**
 * Whether a call that failed so has certainly changed nothing. That holds for one that was sent once, which a Cluster
 * client does not promise.
 */
export function changedNothing(error: unknown): boolean {
  // What ioredis says of a command that it has not sent.
  return BEFORE_WRITING.has(errorCode(error)) || /^Stream isn't writeable/.test(messageOf(error))
}

/** Whether the same call would fail in the same way at any time: for the data that it meets, or by its own fault. */
export function isHopeless(error: unknown): boolean {
  const code = errorCode(error)
  if (code === 'WRONGTYPE') return true
  return code === 'ERR' && /\buser_script: ?\d/.test(messageOf(error)) && !troubleOf(error)
}

/** Whether the ACL of Redis does not allow our user the command, key or channel, by itself or inside of a script. */
export function isNotAllowed(error: unknown): boolean {
  return troubleOf(error) === BY_CODE['NOPERM']
}
