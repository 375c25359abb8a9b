import { addressOf, connect } from '../../store/connection'
import type { RedisSettings } from '../../store/settings'
import { Keys } from '../../store/keys'
import { Store } from '../../store/store'
import {
  isClosed,
  isNotAllowed,
  isRedisFailure,
  stableMessage,
  troubleOf,
} from '../../store/failure'
import { StoreError } from './failure'

/** How long to wait for Redis before reporting that it cannot be reached, in ms. */
const PATIENCE = 2000
/** The same with several sentinels or cluster nodes: the first ones tried may be down. */
const PATIENCE_WITH_SEVERAL = 6000
/** A person waits longer than a mail session, in ms: one command may write 100,000 domains. */
export const COMMAND_TIMEOUT = 15_000

/**
 * Runs `use` with a connected store, and closes it in any case.
 *
 * @throws {StoreError} Redis cannot be reached, or it failed meanwhile.
 */
export async function withStore<T>(
  settings: RedisSettings,
  use: (store: Store) => Promise<T>,
): Promise<T> {
  const store = await openStore(settings)
  try {
    return await use(store)
  } catch (error) {
    if (!isRedisFailure(error)) throw error
    throw isNotAllowed(error) ? notAllowed(settings, error) : failed(settings, error)
  } finally {
    store.client.disconnect()
  }
}

/**
 * @throws {StoreError} within {@link PATIENCE} or {@link PATIENCE_WITH_SEVERAL}, where Redis cannot be reached or
 * refuses the connection.
 */
async function openStore(settings: RedisSettings): Promise<Store> {
  // One of several sentinels or cluster nodes may be down.
  const single = settings.sentinels.length === 0 && settings.cluster.length === 0
  const patience = single ? PATIENCE : PATIENCE_WITH_SEVERAL
  const silence = `no answer within ${patience / 1000} s`
  let problem: string | undefined
  let wasClosed: string | undefined
  let fail: (() => void) | undefined
  const client = connect({ ...settings, commandTimeout: COMMAND_TIMEOUT }, (message) => {
    // The error that Redis sends before it closes the connection does not always arrive.
    if (isClosed(message)) wasClosed = message
    else problem = message
    if (single && !isClosed(message)) fail?.()
  })
  let timer: NodeJS.Timeout | undefined
  try {
    await new Promise<void>((resolve, reject) => {
      fail = () => reject(unreachable(settings, problem ?? wasClosed ?? silence))
      timer = setTimeout(fail, patience)
      client.once('ready', () => resolve())
    })
    return new Store(client, new Keys(settings.prefix))
  } catch (error) {
    client.disconnect()
    throw error
  } finally {
    clearTimeout(timer)
  }
}

function unreachable(settings: RedisSettings, problem: string): StoreError {
  const message =
    adviceOn(settings, problem) ??
    `Redis at ${addressOf(settings)} cannot be reached (${stableMessage(problem)})`
  return new StoreError(`${message}; --config DIR or --redis URL say which Redis is asked`)
}

function notAllowed(settings: RedisSettings, error: unknown): StoreError {
  const user = settings.username ?? 'default'
  return new StoreError(
    `Redis at ${addressOf(settings)}: the Redis user ${user} may not do this (${stableMessage(error)}): use a user that may, or give it the rules of docs/acl`,
  )
}

function failed(settings: RedisSettings, error: unknown): StoreError {
  const message =
    adviceOn(settings, error) ?? `Redis at ${addressOf(settings)} failed (${stableMessage(error)})`
  return new StoreError(`${message}; see what has been done with tenantctl status, then try again`)
}

/** `undefined` for an unknown error. */
function adviceOn(settings: RedisSettings, error: unknown): string | undefined {
  const trouble = troubleOf(error)
  return trouble && `Redis at ${addressOf(settings)} ${trouble.what}: ${trouble.advice}`
}
