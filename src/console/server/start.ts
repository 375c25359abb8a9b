import type { Server as HttpServer } from 'node:http'
import type { Server } from 'node:net'
import { hostname } from 'node:os'
import { createAdaptorServer } from '@hono/node-server'
import { InputError, messageOf } from '../../base/errors'
import { listenAt, stopServer } from '../../base/listen'
import { connectSteadily } from '../../cli/kit/steady'
import { COMMAND_TIMEOUT } from '../../cli/kit/store'
import type { Config } from '../../process/config'
import { actorText, osUser, redisUser } from '../../records/actor'
import { isRole, type Role } from '../../records/role'
import { Keys } from '../../store/keys'
import type { RedisSettings } from '../../store/settings'
import { Store } from '../../store/store'
import { Entry } from '../access/entry'
import { recordedAs } from '../access/person'
import type { Proxy } from '../access/proxy'
import type { ConsoleSettings } from '../access/settings'
import { consoleApp } from './app'
import { serveControl, type Order } from './control'
import { EffectiveConfig } from './effective-config'
import { KnownRegistry } from './known-registry'
import { placeOf } from './place'
import type { StateFiles } from './state-directory'

/** What a client may take, in ms and octets. */
const LIMITS = {
  ...{ headersTimeout: 10_000, requestTimeout: 30_000, keepAliveTimeout: 5000 },
  ...{ connectionsCheckingInterval: 1000, maxHeaderSize: 16 * 1024 },
}
const MOST_CONNECTIONS = 1000

/** What a console is started with. */
export interface Start {
  readonly config: Config
  readonly files: StateFiles
  /** What the proxy has to send; `undefined`: nothing. */
  readonly proxySecret: string | undefined
  /** Of the reading user. */
  readonly readPassword: string | undefined
  /** Prints a line of the log. */
  readonly note: (line: string) => void
}

/** A console that runs. */
export interface RunningConsole {
  /** What browsers open. */
  readonly url: string
  /** A link that signs a person of this machine in. @param who for people, and for records. */
  readonly link: (who: string, role: Role) => string
  readonly stop: () => Promise<void>
}

/** @throws {UserError} it cannot listen, or another console uses its directory; {@link InputError}: its files. */
export async function startConsole(start: Start): Promise<RunningConsole> {
  const { config, files, note } = start
  const { redis, console: settings } = config
  const entry = new Entry(proxyOf(settings, start.proxySecret), note)
  const servers: Server[] = []
  const stores: Store[] = []
  const stop = async (): Promise<void> => {
    await Promise.all(servers.map(stopServer))
    for (const { client } of stores) client.disconnect()
  }
  try {
    const server = createAdaptorServer({
      fetch: (request, env) => app.fetch(request, env),
      ...{ serverOptions: LIMITS, overrideGlobalObjects: false },
    }) as HttpServer
    server.maxConnections = MOST_CONNECTIONS
    const place = placeOf(settings, await listenAt(server, settings.listen, '[console] listen'))
    servers.push(server)
    const link = (who: string, role: Role): string => {
      const token = entry.links.make({ provider: 'console', subject: who, name: who, role })
      return `${place.url}/sign-in/${token}`
    }
    servers.push(await serveControl(files.control, (order) => obey(order, entry, link)))
    const { writing, reading, user } = connections(redis, start)
    stores.push(...new Set([writing, reading]))
    const registry = new KnownRegistry(reading, files.registry)
    const effective = new EffectiveConfig(reading, config)
    const app = consoleApp({
      ...{ reading, writing, entry, host: hostname() },
      ...{ origins: place.origins, base: place.base, cookie: place.cookie },
      config: () => effective.get(),
      signed: (person) =>
        writing.as(
          actorText({ os: osUser() ?? 'unknown', redis: user(), note: recordedAs(person) }),
        ),
      readOnly: (isWrite) => registry.readOnly(isWrite),
      onFault: (error) => note(`fault: ${error instanceof Error ? error.stack : messageOf(error)}`),
    })
    return { url: `${place.url}/`, link, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

/** The connections: `user` is the name by which Redis knows the one that writes. */
function connections(redis: RedisSettings, { config, readPassword, note }: Start) {
  const { readUsername } = config.console
  const storeOf = (settings: RedisSettings): Store => {
    const client = connectSteadily({ ...settings, commandTimeout: COMMAND_TIMEOUT }, note)
    return new Store(client, new Keys(redis.prefix))
  }
  const writing = storeOf(redis)
  const reading =
    readUsername === undefined
      ? writing
      : storeOf({ ...redis, username: readUsername, password: readPassword })
  let user = redis.username ?? 'default'
  writing.client.on('ready', () => {
    // Where Redis does not answer, the configured name stays.
    redisUser(writing.client, redis.username).then(
      (name) => (user = name),
      () => {},
    )
  })
  return { writing, reading, user: () => user }
}

function proxyOf(settings: ConsoleSettings, secret: string | undefined): Proxy | undefined {
  const { auth, userHeader } = settings
  return auth === 'proxy' ? { ...settings, userHeader: userHeader!, secret } : undefined
}

/** Does what `tenantctl console link` and `sessions` order. @throws {InputError} */
function obey(order: Order, { sessions }: Entry, link: RunningConsole['link']): unknown {
  switch (order.do) {
    case 'link':
      if (!isRole(order.role)) throw new InputError(`"${String(order.role)}" is no role`)
      return link(order.for, order.role)
    case 'list':
      return sessions
        .list()
        .map(({ id, person, begun, used, address }) => ({ id, ...person, begun, used, address }))
    case 'end':
      return sessions.end(order.id)
    default:
      throw new InputError('this version of the console does not know that order')
  }
}
