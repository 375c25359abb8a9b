import type { ConnectionOptions } from 'node:tls'
import { Cluster, Redis, type RedisOptions } from 'ioredis'
import { connectToAnyNode, PunctualCluster } from './cluster'
import { errorCode } from './failure'
import { watchHandshake } from './handshake'
import { giveAnswersTheirTurn } from './patience'
import type { Endpoint, RedisSettings } from './settings'
import type { Client } from './store'
import { tlsFailure } from './tls-failure'

const CONNECT_TIMEOUT = 3000
/** A connection on which nothing has come for so many command timeouts is taken for dead. */
const DEAD_AFTER = 10
const LONGEST_RETRY = 1000
/** A sentinel answers from memory, so one that takes longer is passed over, in ms. */
const SENTINEL_TIMEOUT = 500
/** How often the sentinels are asked at most whether a primary that refuses to count still is one, in ms. */
const DOUBT_AFTER = 2000

/**
 * Connects in the background, and goes on trying for ever: the constructor never throws, and a command that finds no
 * connection fails at once instead of waiting.
 *
 * - `enableOfflineQueue: false`: a queue would hold hooks until Redis is back.
 * - `maxRetriesPerRequest: 0`: 1 sends unanswered commands again after a reconnect, and a script would run twice.
 * - `autoResubscribe: false`: ioredis leaves its promise unhandled when that SUBSCRIBE fails, which ends a Haraka
 *   worker (Haraka `haraka.js`, uncaughtException). We subscribe on `ready` ourselves.
 *
 * @param onError is told of every failure to connect; without a listener ioredis prints them.
 */
export function connect(settings: RedisSettings, onError: (message: string) => void): Client {
  const client =
    settings.cluster.length > 0
      ? new PunctualCluster(settings.cluster, commonOptions(settings), retryDelay)
      : connectRedis(settings)
  client.on('error', (error: Error) => onError(describe(error, settings)))
  if (client instanceof Redis) watchHandshake(client, settings.sentinels.length === 0, onError)
  return client
}

/**
 * A connection of its own that hears what is published; like that of {@link connect}, and `ready` whenever something
 * may have been missed.
 *
 * @param client what {@link connect} gave for these settings.
 */
export function connectSubscriber(
  settings: RedisSettings,
  client: Client,
  onError: (message: string) => void,
): Client {
  if (!(client instanceof Cluster)) return connect(settings, onError)
  const options = { ...commonOptions(settings), retryStrategy: retryDelay }
  const subscriber = connectToAnyNode(client, settings.cluster, options)
  subscriber.on('error', (error: Error) => onError(describe(error, settings)))
  return subscriber
}

/** ioredis's words after it has asked all sentinels. They hold a time, which would make each one a new message. */
const NO_PRIMARY = /^All sentinels are unreachable.* Last error: (.*)$/s

function describe(error: Error, { sentinelName, tls }: RedisSettings): string {
  const noPrimary = NO_PRIMARY.exec(error.message)
  const reason = noPrimary?.[1] ?? reasonOf(error)
  const message = (tls && tlsFailure(reason)) || reason
  return noPrimary ? `no sentinel names the primary of ${sentinelName}: ${message}` : message
}

function reasonOf(error: Error): string {
  // Of a Cluster: what the last node that was asked said.
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

function commonOptions(settings: RedisSettings): RedisOptions & { commandTimeout: number } {
  return {
    ...(settings.username === undefined ? {} : { username: settings.username }),
    ...(settings.password === undefined ? {} : { password: settings.password }),
    ...(settings.tls ? { tls: tlsOptions(settings) } : {}),
    // Redis before 7.2 does not know what that would send, and no ACL need allow it.
    disableClientInfo: true,
    connectionName: 'unregistered-domain',
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    autoResubscribe: false,
    autoResendUnfulfilledCommands: false,
    commandTimeout: settings.commandTimeout,
    connectTimeout: CONNECT_TIMEOUT,
    maxLoadingRetryTime: LONGEST_RETRY,
    // While an answer is due: a way that swallows all (a proxy, a firewall) would hold us for ever.
    socketTimeout: settings.commandTimeout * DEAD_AFTER,
    keepAlive: 10_000,
    reconnectOnError: doubt(settings),
  }
}

/** The certificate of the other side is always checked, and that it is for the name that we connect to. */
function tlsOptions({ tlsCa, tlsCert, tlsKey }: RedisSettings): ConnectionOptions {
  return {
    ...(tlsCa === undefined ? {} : { ca: tlsCa }),
    ...(tlsCert === undefined ? {} : { cert: tlsCert }),
    ...(tlsKey === undefined ? {} : { key: tlsKey }),
  }
}

/**
 * After which answers to connect anew, sending nothing again: Redis answers as a replica, or as a primary without
 * replicas, which may be one that has been replaced and has not heard of it (then the sentinels know).
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

class PatientRedis extends Redis {
  override sendCommand(...[command, ...rest]: Parameters<Redis['sendCommand']>): unknown {
    giveAnswersTheirTurn(command)
    return super.sendCommand(command, ...rest)
  }
}

function connectRedis(settings: RedisSettings): Redis {
  const common = { ...commonOptions(settings), db: settings.db, retryStrategy: retryDelay }
  if (settings.sentinels.length === 0) {
    return new PatientRedis({ ...common, host: settings.host, port: settings.port } as never)
  }
  const { sentinelUsername, sentinelPassword } = settings
  return new PatientRedis({
    ...common,
    sentinels: settings.sentinels.map(({ host, port }) => ({ host, port })),
    name: settings.sentinelName,
    ...(sentinelUsername === undefined ? {} : { sentinelUsername }),
    ...(sentinelPassword === undefined ? {} : { sentinelPassword }),
    // Without the second one `tls` is not heeded, and the password goes over the network in clear.
    ...(settings.tls ? { sentinelTLS: tlsOptions(settings), enableTLSForSentinelMode: true } : {}),
    sentinelRetryStrategy: retryDelay,
    // Else one that takes connections and says nothing is waited for for ever.
    sentinelCommandTimeout: SENTINEL_TIMEOUT,
  } as never)
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
