import { userInfo } from 'node:os'
import { clean } from '../base/safe-text'
import { isNotAllowed } from '../store/failure'
import type { Client } from '../store/store'

const LONGEST = 100

/** Who makes a change, for the audit trail. */
export interface Actor {
  /** The user of this process, after the caller of sudo if the environment names one: `ann (root)`. */
  readonly os: string
  /** The user that Redis knows us as. */
  readonly redis: string
  /** `--by`, or `file:ID` for the tenants file; or empty. */
  readonly note: string
}

/** As the scripts take it (`records/lua/include/audit.lua`). */
export function actorText({ os, redis, note }: Actor): string {
  return [os, redis, note].map((part) => clean(part).slice(0, LONGEST)).join('\t')
}

/** The user of this process, with the caller of sudo. */
export function osActor(env: Readonly<Record<string, string | undefined>>): string {
  const user = osUser() ?? 'unknown'
  const sudo = env['SUDO_USER']
  return sudo && sudo !== user ? `${clean(sudo)} (${user})` : user
}

/** `undefined`: the uid has no name, as in many containers. */
export function osUser(): string | undefined {
  try {
    return userInfo().username
  } catch {
    return undefined
  }
}

/**
 * The user that Redis knows a connection as.
 *
 * @param configured for a Redis that does not say.
 * @throws what ioredis throws.
 */
export async function redisUser(client: Client, configured: string | undefined): Promise<string> {
  try {
    return String(await client.call('ACL', 'WHOAMI'))
  } catch (error) {
    if (!isNotAllowed(error)) throw error
    return configured ?? 'default'
  }
}
