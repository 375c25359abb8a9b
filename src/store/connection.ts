import type { ConnectionOptions } from 'node:tls'
import { Cluster, Redis, type RedisOptions } from 'ioredis'
import { ClusterClient, connectToAnyNode, SingleClient } from './clients'
import { errorCode } from './failure'
import { watchHandshake } from './handshake'
import type { Endpoint, RedisSettings } from './settings'
import type { Client } from './store'
import { tlsFailure } from './tls-failure'

const CONNECT_TIMEOUT = 3000
const LONGEST_RETRY = 1000
/** A sentinel answers from memory; one that takes longer is skipped, in ms. */
const SENTINEL_TIMEOUT = 500
/** A primary without replicas may have been replaced: the sentinels are asked again at the earliest after this time, in ms. */
const DOUBT_AFTER = 2000

/**
 * Connects in the background, and tries again for ever. Never throws; a command without a connection fails at once.
 *
 * - `enableOfflineQueue: false`: a queue would hold hooks until Redis is back.
 * - `maxRetriesPerRequest: 0`: 1 sends unanswered commands again after a reconnect, and a script would run twice.
 * - `autoResubscribe: false`: ioredis leaves its promise unhandled when that SUBSCRIBE fails, which ends a Haraka
 *   worker (Haraka `haraka.js`, uncaughtException). We subscribe on `ready` ourselves.
 *
 * @param onError is called at every failure to connect; without a listener ioredis prints them.
 */
export function connect(settings: RedisSettings, onError: (message: string) => void): Client {
  const client =
    settings.cluster.length > 0
      ? new ClusterClient(
          settings.cluster,
          commonOptions(settings),
          settings.commandTimeout,
          retryDelay,
        )
      : connectRedis(settings)
  client.on('error', (error: Error) => onError(describe(error, settings)))
  if (client instanceof Redis) watchHandshake(client, settings.sentinels.length === 0, onError)
  return client
}

/**
 * A separate connection for subscriptions, as {@link connect} makes it. It emits `ready` whenever messages may have been
 * missed.
 *
 * @param client the client of these settings.
 */
export function connectSubscriber(
  settings: RedisSettings,
  client: Client,
  onError: (message: string) => void,
): Client {
  if (!(client instanceof Cluster)) return connect(settings, onError)
  const options = { ...commonOptions(settings), retryStrategy: retryDelay }
  const subscriber = connectToAnyNode(client, settings.cluster, options, settings.commandTimeout)
  subscriber.on('error', (error: Error) => onError(describe(error, settings)))
  return subscriber
}

/**
 * One more connection to where a connected client is connected, of a Cluster to any node. It connects when it is told to, and
 * once: where that fails, or the connection is lost, it ends.
 */
export function anotherConnection(client: Client): Redis {
  const known = 'nodes' in client ? client.nodes() : [client]
  const from = known.find(({ status }) => status === 'ready') ?? known[0]!
  const another = from.duplicate({
    ...{ lazyConnect: true, retryStrategy: null, sentinelRetryStrategy: null },
  } as never)
  // What fails is told by the command that fails.
  another.on('error', () => {})
  return another
}

/** ioredis's message after all sentinels; it has the last error as text only. The time in it would make each a new message. */
const NO_PRIMARY = /^All sentinels are unreachable.* Last error: (.*)$/s

function describe(error: Error, { sentinelName, tls }: RedisSettings): string {
  const noPrimary = NO_PRIMARY.exec(error.message)
  const reason = noPrimary?.[1] ?? reasonOf(error)
  const message = (tls && tlsFailure(reason)) || reason
  return noPrimary ? `no sentinel names the primary of ${sentinelName}: ${message}` : message
}

function reasonOf(error: Error): string {
  // Of a Cluster: the error of the last node.
  const { lastNodeError } = error as { lastNodeError?: Error }
  if (lastNodeError) return `${error.message} ${reasonOf(lastNodeError)}`
  // An AggregateError (both addresses of `localhost` refused) has an empty message of its own.
  if (error.message) return error.message
  const { errors } = error as { errors?: Error[] }
  return errors?.map((each) => each.message).join('; ') ?? error.name
}

function retryDelay(attempt: number): number {
  return Math.min(50 * 2 ** Math.min(attempt, 10), LONGEST_RETRY) * (0.75 + Math.random() / 2)
}

function commonOptions(settings: RedisSettings): RedisOptions {
  return {
    ...(settings.username === undefined ? {} : { username: settings.username }),
    ...(settings.password === undefined ? {} : { password: settings.password }),
    ...(settings.tls ? { tls: tlsOptions(settings) } : {}),
    // Redis before 7.2 does not know CLIENT SETINFO, and no ACL need allow it.
    disableClientInfo: true,
    connectionName: 'unregistered-domain',
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    autoResubscribe: false,
    autoResendUnfulfilledCommands: false,
    connectTimeout: CONNECT_TIMEOUT,
    maxLoadingRetryTime: LONGEST_RETRY,
    keepAlive: 10_000,
    reconnectOnError: doubt(settings),
  }
}

/** The certificate of the other side is always checked, and that it is for the name of the connection. */
function tlsOptions({ tlsCa, tlsCert, tlsKey }: RedisSettings): ConnectionOptions {
  return {
    ...(tlsCa === undefined ? {} : { ca: tlsCa }),
    ...(tlsCert === undefined ? {} : { cert: tlsCert }),
    ...(tlsKey === undefined ? {} : { key: tlsKey }),
  }
}

/**
 * After which answers to reconnect, without repeating the command: those of a replica, and those of a primary without
 * replicas, which may have been replaced without knowing it (the sentinels know).
 */
function doubt({ sentinels }: RedisSettings): (error: Error) => boolean {
  let notBefore = 0
  return (error) => {
    const code = errorCode(error)
    if (code === 'READONLY') return true
    if (code !== 'NOREPLICAS' || sentinels.length === 0) return false
    const now = performance.now()
    if (now < notBefore) return false
    notBefore = now + DOUBT_AFTER
    return true
  }
}

function connectRedis(settings: RedisSettings): Redis {
  const common = { ...commonOptions(settings), db: settings.db, retryStrategy: retryDelay }
  if (settings.sentinels.length === 0) {
    const { host, port, commandTimeout } = settings
    return new SingleClient({ ...common, host, port }, commandTimeout)
  }
  const { sentinelUsername, sentinelPassword } = settings
  const options = {
    ...common,
    sentinels: settings.sentinels.map(({ host, port }) => ({ host, port })),
    name: settings.sentinelName,
    ...(sentinelUsername === undefined ? {} : { sentinelUsername }),
    ...(sentinelPassword === undefined ? {} : { sentinelPassword }),
    // Without the second option ioredis ignores `tls`, and sends the password in clear text.
    ...(settings.tls ? { sentinelTLS: tlsOptions(settings), enableTLSForSentinelMode: true } : {}),
    sentinelRetryStrategy: retryDelay,
    // Else ioredis waits for ever for a sentinel that accepts connections and does not answer.
    sentinelCommandTimeout: SENTINEL_TIMEOUT,
  }
  return new SingleClient(options, settings.commandTimeout)
}

/** The address as a person would write it, for messages. */
export function addressOf(settings: RedisSettings): string {
  const list = (endpoints: readonly Endpoint[]): string =>
    endpoints.map(({ host, port }) => `${host}:${port}`).join(', ')
  if (settings.cluster.length > 0) return `cluster ${list(settings.cluster)}`
  if (settings.sentinels.length > 0) {
    return `${settings.sentinelName} by sentinels ${list(settings.sentinels)}`
  }
  return `${settings.host}:${settings.port}`
}

/** Where a registry is, for people: `Redis at 127.0.0.1:6379, database 0, prefix "ud:"`. */
export function placeOf(settings: RedisSettings): string {
  return `Redis at ${addressOf(settings)}, database ${settings.db}, prefix "${settings.prefix}"`
}
