import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import type { Redis } from 'ioredis'
import { scratchDir } from '../../scripts/services/scratch'
import { packageRoot } from '../../src/base/package-root'
import { startRedis, type StartRedisOptions, type TestRedis } from './redis'

/** One of the files in docs/acl. */
export type Role = 'plugin' | 'plugin-apply' | 'tenantctl' | 'tenantctl-read' | 'sentinel'

/** What an ACL file allows. */
export interface Rules {
  readonly user: string
  readonly commands: readonly string[]
  readonly keys: readonly string[]
  readonly channels: readonly string[]
  /** All other rules, in order. */
  readonly rest: readonly string[]
}

/** For all users of the tests. */
export const PASSWORD = 'a long and secret word'
/** The tests' own user, with all rights. Its database is not the first one, so that SELECT is needed too. */
export const DB = 3
export const ADMIN = { username: 'admin', password: PASSWORD, db: DB }

export function aclLine(role: Role): string {
  return readFileSync(path.join(packageRoot(), 'docs/acl', `${role}.acl`), 'utf8').trim()
}

export function rulesOf(role: Role): Rules {
  const [first, user = '', ...rules] = aclLine(role).split(' ')
  if (first !== 'user') throw new Error(`${role}.acl does not begin with "user"`)
  const starting = (sign: string): string[] =>
    rules.filter((rule) => rule.startsWith(sign)).map((rule) => rule.slice(1))
  return {
    user,
    commands: starting('+'),
    keys: starting('~'),
    channels: starting('&'),
    rest: rules.filter((rule) => !/^[+~&]/.test(rule)),
  }
}

/** What [redis] of the ini holds for a role. */
export function credentials(role: Role): { username: string; password: string; db: number } {
  return { username: rulesOf(role).user, password: PASSWORD, db: DB }
}

/** `redis://` with user, password and database, for tenantctl. */
export function urlFor({ port }: { port: number }, role: Role): string {
  const { username, password, db } = credentials(role)
  return `redis://${username}:${encodeURIComponent(password)}@127.0.0.1:${port}/${db}`
}

/** The rules of `ACL SETUSER` for these roles with a password, and for {@link ADMIN}. */
export function users(...roles: Role[]): string[] {
  const hash = createHash('sha256').update(PASSWORD).digest('hex')
  return [`user admin on #${hash} ~* &* +@all`, ...roles.map((role) => `${aclLine(role)} #${hash}`)]
}

/**
 * No client can log in as this user. Redis 7.0 loads its append-only file with its rights: without them it silently
 * drops what scripts wrote by several commands.
 */
export const LOADER = 'user default off ~* &* +@all'

/** A Redis with an `aclfile` of these roles, whose default user is off. */
export function startGuardedRedis(
  roles: Role[],
  options: StartRedisOptions = {},
): Promise<TestRedis> {
  const file = path.join(scratchDir('acl'), 'users.acl')
  writeFileSync(file, [LOADER, ...users(...roles), ''].join('\n'))
  return startRedis({
    ...options,
    args: [...(options.args ?? []), '--aclfile', file],
    auth: ADMIN,
  })
}

/** The refusals of Redis since it started, or since `ACL LOG RESET`: `user: reason object`. */
export async function refused(admin: Redis): Promise<string[]> {
  const log = (await admin.call('ACL', 'LOG')) as unknown[]
  return log.map((entry) => {
    const fields = fieldsOf(entry)
    const text = (name: string): string => String(fields.get(name))
    return `${text('username')}: ${text('reason')} ${text('object')}`
  })
}

function fieldsOf(entry: unknown): Map<string, unknown> {
  if (!Array.isArray(entry)) return new Map(Object.entries(entry as object))
  const fields = new Map<string, unknown>()
  for (let at = 0; at + 1 < entry.length; at += 2) fields.set(String(entry[at]), entry[at + 1])
  return fields
}

/** A command that Redis has executed, alone or inside a script. */
interface Seen {
  /** `ADDRESS:PORT` of the client. */
  readonly client: string
  readonly words: readonly string[]
}

/** Records by MONITOR which commands Redis executes, also inside scripts, and for which client. */
export class Observation {
  private readonly seen: Seen[] = []
  private readonly users = new Map<string, string | undefined>()
  private scriptOf = ''

  private constructor(
    private readonly admin: Redis,
    private readonly monitor: Redis,
  ) {}

  static async begin(redis: TestRedis): Promise<Observation> {
    const admin = redis.client()
    // Not monitor() of another client, which would not end with the server.
    const monitor = redis.client({ monitor: true })
    await once(monitor, 'monitoring')
    const observation = new Observation(admin, monitor)
    monitor.on('monitor', (_time: string, words: string[], source: string) =>
      observation.note(words, source),
    )
    await observation.learn()
    return observation
  }

  private note(words: string[], source: string): void {
    const client = source === 'lua' ? this.scriptOf : source
    if (/^eval/i.test(words[0] ?? '')) this.scriptOf = source
    if (this.users.get(client) === 'admin') return
    this.seen.push({ client, words })
    if (!this.users.has(client)) {
      this.users.set(client, undefined)
      void this.learn()
    }
  }

  /** MONITOR shows no user. The user of a client that is gone before the look-up stays unknown. */
  private async learn(): Promise<void> {
    const list = String(await this.admin.call('CLIENT', 'LIST'))
    for (const [, address = '', user = ''] of list.matchAll(/\baddr=(\S+).*\buser=(\S+)/g)) {
      this.users.set(address, user)
    }
  }

  /**
   * Ends it.
   *
   * @param who selects users; `undefined` is an unknown user.
   * @returns lower-case commands with their subcommands, and keys.
   */
  async end(
    who: (user: string | undefined) => boolean,
  ): Promise<{ commands: Set<string>; keys: Set<string> }> {
    await this.learn()
    this.monitor.disconnect()
    const commands = new Set<string>()
    const calls = new Map<string, readonly string[]>()
    for (const { client, words } of this.seen) {
      if (!who(this.users.get(client))) continue
      const [name = '', first = ''] = words
      const command = name.toLowerCase()
      commands.add(CONTAINERS.has(command) ? `${command}|${first.toLowerCase()}` : command)
      // Only the keys of a script matter, not its text and arguments.
      const short = /^eval/i.test(name) ? words.slice(2, 3 + Number(words[2])) : words.slice(1)
      calls.set(JSON.stringify([command, ...short]), words)
    }
    const keys = new Set<string>()
    const answers = await Promise.all(
      [...calls.values()].map((words) =>
        (this.admin.call('COMMAND', 'GETKEYS', ...words) as Promise<string[]>).catch(() => []),
      ),
    )
    for (const answer of answers) for (const key of answer) keys.add(key)
    return { commands, keys }
  }
}

/** Commands whose subcommands have their own permissions. */
const CONTAINERS: ReadonlySet<string> = new Set([
  ...['client', 'cluster', 'sentinel', 'config', 'acl'],
  ...['xgroup', 'xinfo', 'pubsub'],
])

/**
 * The unneeded rules: commands that were not executed, and key patterns without which every used key would still be
 * allowed.
 *
 * @param unseen commands that MONITOR never shows.
 */
export function superfluous(
  rules: Rules,
  used: { commands: ReadonlySet<string>; keys: ReadonlySet<string> },
  unseen: readonly string[],
): string[] {
  const commands = rules.commands.filter(
    (command) => !used.commands.has(command) && !unseen.includes(command),
  )
  const patterns = rules.keys.map((pattern) => [pattern, matcher(pattern)] as const)
  const keys = patterns
    .filter(([, own]) => {
      const others = patterns.filter(([, other]) => other !== own)
      return ![...used.keys].some(
        (key) => own.test(key) && !others.some(([, other]) => other.test(key)),
      )
    })
    .map(([pattern]) => pattern)
  return [...commands.map((each) => `+${each}`), ...keys.map((each) => `~${each}`)]
}

/** The part of Redis's glob syntax that the ACL files use. */
function matcher(pattern: string): RegExp {
  const source = pattern.replace(/[.+?^${}()|\\]/g, '\\$&').replaceAll('*', '.*')
  return new RegExp(`^${source}$`, 's')
}
