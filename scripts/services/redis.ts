import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { Redis, type RedisOptions } from 'ioredis'
import { freePort } from './port'
import { scratchDir } from './scratch'
import { Service } from './service'
import { findTool } from './tools'

/** Options of startRedis(). */
export interface StartRedisOptions {
  /**
   * More arguments for redis-server, such as `['--appendonly', 'yes']`. They come last, so they override the defaults
   * (no persistence).
   */
  args?: string[]
  /**
   * Lines of redis.conf, if the server needs one. Redis saves run-time settings in it (CONFIG REWRITE, as Sentinel
   * does), and reads them after restart(). Arguments override it.
   */
  config?: readonly string[]
  /** Its certificate and key, and the authority's (PEM): then it accepts only TLS. */
  tls?: { key: string; cert: string; ca: string }
  /** The default user of its clients, for a server that requires one. */
  auth?: Pick<RedisOptions, 'username' | 'password' | 'db'>
  /** More environment variables. */
  env?: Readonly<Record<string, string>>
}

type ClientOptions = Omit<RedisOptions, 'replyMapping'>

/** A running redis-server. */
export interface TestRedis {
  readonly port: number
  /** `redis://127.0.0.1:PORT` */
  readonly url: string
  /** Its scratch folder, kept over restarts. */
  readonly dir: string
  /** Its log since the last start. */
  readonly log: string
  /** A new ioredis client, closed by stop(). Its error events are ignored. */
  client(options?: ClientOptions): Redis
  /** SIGSTOP: connections stay open without answers. */
  pause(): void
  /** SIGCONT: commands sent during the pause are executed now. */
  resume(): void
  /** SIGKILL; connections are closed, new ones refused. Resolves when it has ended. */
  kill(): Promise<void>
  /** Starts it again on the same port; kills it first if it is running. */
  restart(): Promise<void>
  /**
   * Calls of each command since the start or since resetCommandStats(), by lower-case name
   * (`evalsha`, `config|get`). Without the calls of this method.
   */
  commandStats(): Promise<Record<string, number>>
  resetCommandStats(): Promise<void>
  /** Closes all clients and ends the server. */
  stop(): Promise<void>
}

const ATTEMPTS = 5

/**
 * Starts a real redis-server on a free loopback port, with its own scratch folder and without persistence. It ends
 * with stop(), and always with this process.
 *
 * @throws Error when there is no redis-server (it says what to do) or it does not start
 */
export async function startRedis({
  args = [],
  config,
  tls,
  auth = {},
  env = {},
}: StartRedisOptions = {}): Promise<TestRedis> {
  const program = findTool('redis-server')
  const dir = scratchDir('redis')
  const file = config ? [writeConfig(dir, config)] : []
  const secured = tls ? tlsArguments(dir, tls) : []
  const listen = (port: number) =>
    tls ? ['--tls-port', String(port), '--port', '0'] : ['--port', String(port)]
  const run = async (port: number) => {
    const service = new Service({
      command: program,
      args: [...file, ...listen(port), '--dir', dir, ...defaults, ...secured, ...args],
      cwd: dir,
      env: { ...process.env, ...env },
    })
    await service.waitForLog(/Ready to accept connections|Sentinel ID is/)
    return service
  }
  const { port, service } = await onFreePort(run)
  return new RunningRedis(port, dir, auth, service, () => retryTaken(() => run(port)))
}

const defaults = [
  ...['--bind', '127.0.0.1', '--protected-mode', 'no'],
  ...['--save', '', '--appendonly', 'no'],
]

function writeConfig(dir: string, lines: readonly string[]): string {
  const file = path.join(dir, 'redis.conf')
  writeFileSync(file, lines.map((line) => `${line}\n`).join(''))
  return file
}

function tlsArguments(dir: string, tls: NonNullable<StartRedisOptions['tls']>): string[] {
  const files = (['key', 'cert', 'ca'] as const).flatMap((name) => {
    writeFileSync(path.join(dir, `${name}.pem`), tls[name])
    return [name === 'ca' ? '--tls-ca-cert-file' : `--tls-${name}-file`, `${name}.pem`]
  })
  return [...files, '--tls-auth-clients', 'no', '--tls-replication', 'yes']
}

async function onFreePort(run: (port: number) => Promise<Service>) {
  return retryTaken(async () => {
    const port = await freePort()
    return { port, service: await run(port) }
  })
}

/** Tries again where another process took the port first. */
async function retryTaken<T>(start: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await start()
    } catch (error) {
      const taken = /Address already in use|Failed listening/.test((error as Error).message)
      if (!taken || attempt === ATTEMPTS) throw error
    }
  }
}

class RunningRedis implements TestRedis {
  readonly url: string
  readonly #clients = new Set<Redis>()
  #own: Redis | undefined

  constructor(
    readonly port: number,
    readonly dir: string,
    private readonly auth: ClientOptions,
    private service: Service,
    private readonly start: () => Promise<Service>,
  ) {
    this.url = `redis://127.0.0.1:${port}`
  }

  get log(): string {
    return this.service.log
  }

  client(options: ClientOptions = {}): Redis {
    // Closing must not wait for an answer of a paused server.
    const own = { host: '127.0.0.1', port: this.port, disconnectTimeout: 50, ...this.auth }
    const client = new Redis({ ...own, ...options })
    client.on('error', () => {})
    this.#clients.add(client)
    return client
  }

  pause(): void {
    this.service.signal('SIGSTOP')
  }

  resume(): void {
    this.service.signal('SIGCONT')
  }

  kill(): Promise<void> {
    return this.service.kill()
  }

  async restart(): Promise<void> {
    await this.service.kill()
    this.service = await this.start()
  }

  async commandStats(): Promise<Record<string, number>> {
    const info = await this.#control().info('commandstats')
    const calls: Record<string, number> = {}
    for (const [, name = '', count] of info.matchAll(/^cmdstat_([^:]+):calls=(\d+)/gm)) {
      if (name !== 'info' && name !== 'config|resetstat') calls[name] = Number(count)
    }
    return calls
  }

  async resetCommandStats(): Promise<void> {
    await this.#control().call('CONFIG', 'RESETSTAT')
  }

  async stop(): Promise<void> {
    for (const client of this.#clients) client.disconnect()
    this.#clients.clear()
    this.#own = undefined
    await this.service.kill()
  }

  /** The client of this object; its commands at connecting end before the first answer. */
  #control(): Redis {
    return (this.#own ??= this.client())
  }
}
