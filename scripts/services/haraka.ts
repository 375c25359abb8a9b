import { readdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import {
  cores,
  defaultPlugins,
  makeSite,
  pluginIni,
  smtpIni,
  type StartHarakaOptions,
} from './haraka-site'
import type { Ini } from './ini'
import { freePort } from './port'
import { readQueueFile, type QueuedMessage } from './queue-file'
import { Service } from './service'
import { Sink } from './sink'
import { SmtpClient, type Mail, type Sent, type SessionOptions } from './smtp'
import { waitFor } from './wait-for'

export { defaultPlugins, type HarakaVersion, type StartHarakaOptions } from './haraka-site'
export type { QueuedMessage } from './queue-file'

/** Logged by the plugin in each process when it has loaded its data from Redis. */
const READY = /unregistered-domain\].*\bready\b/g

/**
 * Starts a real Haraka with the compiled plugin, in its own scratch site, on free loopback ports. It ends with
 * stop(), and always with this process.
 *
 * @throws Error with the log, when it does not listen within 90 s
 */
export async function startHaraka(options: StartHarakaOptions = {}): Promise<TestHaraka> {
  const site = makeSite(options)
  for (let attempt = 1; ; attempt++) {
    const port = await freePort()
    const smtpsPort = options.smtps ? await freePort() : undefined
    writeFileSync(path.join(site, 'config/smtp.ini'), smtpIni(options, port, smtpsPort))
    try {
      return new TestHaraka(site, port, smtpsPort, options, await run(site, options))
    } catch (error) {
      // Another process took the port first.
      if (attempt === 5 || !(error as Error).message.includes('EADDRINUSE')) throw error
    }
  }
}

let probes = 0

/** A running Haraka. */
export class TestHaraka {
  readonly sink: Sink

  constructor(
    /** The site, its `$HARAKA`. */
    readonly dir: string,
    readonly port: number,
    private readonly smtps: number | undefined,
    private readonly options: StartHarakaOptions,
    private service: Service,
  ) {
    this.sink = new Sink(dir)
  }

  get smtpsPort(): number {
    if (this.smtps === undefined) throw new Error('started without smtps')
    return this.smtps
  }

  /** Its config directory, for `tenantctl --config`. */
  get configDir(): string {
    return path.join(this.dir, 'config')
  }

  /** Its log since the last start. */
  get log(): string {
    return this.service.log
  }

  /** Keeps only these lines of it from now on. */
  keepLog(keeps: (line: string) => boolean): void {
    this.service.keepOnly(keeps)
  }

  /** The process id of the single process or of the cluster's master. */
  get pid(): number {
    return this.service.pid
  }

  /** Waits for a log line; `from` is an earlier `log.length`. */
  waitForLog(pattern: RegExp, options?: { from?: number; timeout?: number }) {
    return this.service.waitForLog(pattern, options)
  }

  /** A session after EHLO (and STARTTLS and AUTH, if requested). */
  connect(options: SessionOptions = {}): Promise<SmtpClient> {
    return SmtpClient.open({ port: options.tls ? this.smtpsPort : this.port, ...options })
  }

  /** One message in a new session, with QUIT at the end. */
  async send({ session, ...mail }: Mail & { session?: SessionOptions }): Promise<Sent> {
    const client = await this.connect(session)
    const sent = await client.send(mail)
    await client.quit()
    return sent
  }

  /** Writes a file of config/. Haraka reads a changed file again about 5 s later. */
  writeConfig(file: string, text: string): void {
    writeFileSync(path.join(this.configDir, file), text)
  }

  /** Rewrites unregistered-domain.ini, with the [redis] section of the start. */
  writeSettings(settings: Ini): void {
    this.writeConfig('unregistered-domain.ini', pluginIni({ ...this.options, settings }))
  }

  /**
   * Waits until each process attributes such a session to this connector (`tenant/name`; null: to
   * none), by sending itself messages from `address` to `address`. They do not count as deliveries.
   */
  async attributed(session: SessionOptions, connector: string | null, address: string) {
    const subject = `probe ${++probes}`
    const mail = { from: address, to: address, subject, headers: { 'X-Sink': 'probe' }, session }
    const processes = new Set<number>()
    let answer: unknown
    const allAgree = async () => {
      answer = (await this.send(mail)).last
      const probe = this.sink.probes().findLast((message) => message.subject === subject)
      if (!probe) return false
      const note = probe.note as { connector: string | null } | undefined
      if ((note?.connector ?? null) === connector) processes.add(probe.pid)
      else processes.delete(probe.pid)
      return processes.size === Math.max(1, this.options.nodes ?? 0)
    }
    await waitFor(allAgree).catch((cause: unknown) => {
      const what = `${JSON.stringify(session)} is not attributed to ${connector}`
      throw new Error(`${what}; the last probe got: ${String(answer)}`, { cause })
    })
  }

  /** The files of Haraka's outbound queue: one for each domain of a message. */
  queued(): QueuedMessage[] {
    const queue = path.join(this.dir, 'queue')
    // Haraka writes to a name with this prefix, and renames the complete file.
    const names = readdirSync(queue).filter((name) => !name.startsWith('__tmp__.'))
    return names.map((name) => readQueueFile(path.join(queue, name)))
  }

  /** Restarts it, on the same site and ports. */
  async restart(options: { ready?: boolean } = {}): Promise<void> {
    await this.service.stop()
    this.service = await run(this.dir, { ...this.options, ...options })
  }

  /**
   * Replaces the workers of a cluster one by one, as `haraka --graceful` does (bin/haraka). The old ones end by
   * themselves when their sessions have ended.
   */
  async restartGracefully(): Promise<void> {
    const from = this.log.length
    const client = await this.connect()
    const reply = await client.command('INTERNALCMD gracefulRestart')
    await client.quit()
    if (reply.code !== 250) throw new Error(`INTERNALCMD: ${String(reply)}`)
    await this.waitForLog(/Reload complete/, { from, timeout: 60_000 })
  }

  /** A signal to all its processes. */
  signal(name: NodeJS.Signals): void {
    this.service.signal(name)
  }

  /** Whether its first process has ended. */
  get ended(): boolean {
    return this.service.ended
  }

  async stop(): Promise<void> {
    await this.service.kill()
  }
}

async function run(site: string, options: StartHarakaOptions): Promise<Service> {
  const { version = '3.3.4', plugins = defaultPlugins, nodes = 0, ready = true } = options
  const [command, ...args] = options.command ?? [process.execPath]
  const service = new Service({
    command,
    args: [
      ...args,
      ...(options.preload === undefined ? [] : ['--require', options.preload]),
      path.join(cores[version], 'haraka.js'),
    ],
    cwd: site,
    env: { ...process.env, HARAKA: site },
  })
  const processes = Math.max(1, nodes)
  const listeners = processes * (options.smtps ? 2 : 1)
  await waitForLines(service, /Listening on /g, listeners)
  if (ready && plugins.includes('unregistered-domain')) {
    await waitForLines(service, READY, processes)
  }
  return service
}

async function waitForLines(service: Service, pattern: RegExp, count: number): Promise<void> {
  const timeout = 90_000
  const enough = () => (service.log.match(pattern)?.length ?? 0) >= count
  await waitFor(() => service.ended || enough(), { timeout }).catch(() => {})
  if (enough()) return
  const how = service.ended ? 'has ended' : `has run ${timeout} ms`
  await service.kill()
  throw new Error(
    `Haraka ${how} without logging ${String(pattern)} ${count} times:\n${service.log}`,
  )
}
