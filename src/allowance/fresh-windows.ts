import { MAIL_INCLUDES } from '../mail/scripts'
import { randomToken } from '../records/token'
import { readScript } from '../store/script'
import type { Store } from '../store/store'
import type { Act } from './restriction'

const FRESH_WINDOWS = readScript(__dirname, 'fresh_windows', MAIL_INCLUDES)

/**
 * Starts the windows of a tenant afresh.
 *
 * @returns whether they were: not those of a tenant that is restricted, or was removed.
 * @throws what ioredis throws.
 */
export async function startWindowsAfresh(
  store: Store,
  tenant: string,
  { by, reason }: Act,
): Promise<boolean> {
  const { actor, keys } = store
  const reply = await store.run(
    FRESH_WINDOWS,
    [keys.tenant(tenant), keys.restriction(tenant), keys.usage(tenant), keys.audit(tenant)],
    [by, reason, randomToken(), actor],
  )
  return reply === 1
}
