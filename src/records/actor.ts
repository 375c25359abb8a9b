import { userInfo } from 'node:os'
import { clean } from '../base/safe-text'
import { isNotAllowed } from '../store/failure'
import type { Client } from '../store/store'

const LONGEST = 100

/** Who changes something, for the audit trail. */
export interface Actor {
  /** The user of this process; who called sudo goes first, who says so only by the environment: `ann (root)`. */
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

/** The user of this process, with who called sudo. */
export function osActor(env: Readonly<Record<string, string | undefined>>): string {
  const user = osUser() ?? 'unknown'
  const sudo = env['SUDO_USER']
  return sudo && sudo !== user ? `${clean(sudo)} (${user})` : user
}

/** `undefined`: there is no entry for the uid, as in many containers. */
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
 * @param configured what counts where Redis does not tell.
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
