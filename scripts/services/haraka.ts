import {
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import path from 'node:path'
import { formatIni, type Ini } from './ini'
import { freePort } from './port'
import { scratchDir } from './scratch'
import { Service } from './service'
import { Sink } from './sink'
import { SmtpClient, type Mail, type Sent, type SessionOptions } from './smtp'
import { waitFor } from './wait-for'

/** The Haraka versions that are installed beside the plugin. */
export type HarakaVersion = '3.3.4' | '3.1.7'

/** Options of startHaraka(). */
export interface StartHarakaOptions {
  /** Default 3.3.4. */
  version?: HarakaVersion
  /** 0 is a single process, else a cluster with so many workers; default 0. */
  nodes?: number
  /** The Redis of the plugin, by its port. It need not run. */
  redis?: { readonly port: number }
  /** What unregistered-domain.ini holds, above its defaults and [redis] above. */
  settings?: Ini
  /**
   * config/plugins, in order. `tls` and `auth/flat_file` come before it where the options ask for
   * them. Default: relay, unregistered-domain, test_sink.
   */
  plugins?: string[]
  /** Source texts of plugins of the site, by name; to run, they must stand in `plugins` too. */
  localPlugins?: Record<string, string>
  /** Further files of config/, by name; they win over what is written from the other options. */
  config?: Record<string, string>
  /** AUTH users and their passwords, for auth/flat_file. */
  users?: Record<string, string>
  /** Addresses that may relay (relay_acl_allow); default: the whole loopback, 127.0.0.0/8. */
  relayFrom?: string[]
  /** Server certificate and key (PEM), and the CA of the clients'; brings STARTTLS. */
  tls?: { key: string; cert: string; ca?: string }
  /** Listens for SMTPS as well, see `smtpsPort`; needs `tls`. */
  smtps?: boolean
  /**
   * false does not wait until the plugin is ready in every process, only until Haraka listens;
   * for a Redis that is away.
   */
  ready?: boolean
  /** Folder of the plugin package; default: this repository. */
  package?: string
}

/** Group ffdhe2048 of RFC 7919. Without the file Haraka lets openssl search for primes at its start. */
const FFDHE2048 = `-----BEGIN DH PARAMETERS-----
MIIBCAKCAQEA//////////+t+FRYortKmq/cViAnPTzx2LnFg84tNpWp4TZBFGQz
+8yTnc4kmz75fS/jY2MMddj2gbICrsRhetPfHtXV/WVhJDP1H18GbtCFY2VVPe0a
87VXE15/V8k1mE8McODmi3fipona8+/och3xWKE2rec1MKzKT0g6eXq8CrGCsyT7
YdEIqUuyyOP7uWrat2DX9GgdT0Kj3jlN9K5W7edjcrsZCwenyO4KbXCeAvzhzffi
7MA0BM0oNC9hkXL+nOmFg/+OTxIy7vKBg8P+OxtMb61zO7X8vC7CIAXFjvGDfRaD
ssbzSibBsu/6iGtCOGEoXJf//////////wIBAg==
-----END DH PARAMETERS-----
`

/** The plugins that run where nothing else is said. */
export const defaultPlugins: readonly string[] = ['relay', 'unregistered-domain', Sink.plugin]

/** What the plugin logs in each process when it has read what it needs from Redis. */
const READY = /unregistered-domain\].*\bready\b/g

const root = path.resolve(__dirname, '../..')
const cores: Record<HarakaVersion, string> = {
  '3.3.4': path.join(root, 'node_modules/haraka'),
  '3.1.7': path.join(root, 'node_modules/haraka-v3.1'),
}

/**
 * Starts a real Haraka with the compiled plugin, in a scratch site of its own, on free loopback
 * ports. It ends with stop(), and in any case with this process.
 *
 * @throws Error with the log, when it does not listen within 30 s
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
      // Another process was quicker at taking the port.
      if (attempt === 5 || !(error as Error).message.includes('EADDRINUSE')) throw error
    }
  }
}

let probes = 0

/** A running Haraka of our own. */
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

  /** Its config directory, as `tenantctl --config` takes it. */
  get configDir(): string {
    return path.join(this.dir, 'config')
  }

  /** All that it has logged since the last start. */
  get log(): string {
    return this.service.log
  }

  /** The process id of the single process or of the cluster's master. */
  get pid(): number {
    return this.service.pid
  }

  /** Waits for a log line; `from` is an earlier `log.length`. */
  waitForLog(pattern: RegExp, options?: { from?: number; timeout?: number }) {
    return this.service.waitForLog(pattern, options)
  }

  /** A session after EHLO (and STARTTLS and AUTH, where asked for). */
  connect(options: SessionOptions = {}): Promise<SmtpClient> {
    return SmtpClient.open({ port: options.tls ? this.smtpsPort : this.port, ...options })
  }

  /** One message in a session of its own, with QUIT at the end. */
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

  /** Writes unregistered-domain.ini anew, with the [redis] section of the start. */
  writeSettings(settings: Ini): void {
    this.writeConfig('unregistered-domain.ini', pluginIni({ ...this.options, settings }))
  }

  /**
   * Waits until each process attributes such a session to this connector (`tenant/name`; null: to
   * none), by sending itself messages from `address` to `address`. They are no deliveries.
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

  /** What stands in Haraka's own outbound queue: one entry for each domain of a message. */
  queued(): QueuedMessage[] {
    const queue = path.join(this.dir, 'queue')
    // Haraka writes under a name with this start, and renames when all is written.
    const names = readdirSync(queue).filter((name) => !name.startsWith('__tmp__.'))
    return names.map((name) => readQueueFile(path.join(queue, name)))
  }

  /** Ends it and starts it again, on the same site and ports. */
  async restart(options: { ready?: boolean } = {}): Promise<void> {
    await this.service.stop()
    this.service = await run(this.dir, { ...this.options, ...options })
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

/** The envelope of a file in Haraka's outbound queue. */
export interface QueuedMessage {
  uuid: string
  rcptTo: string[]
  /** `transaction.notes` */
  notes: Record<string, unknown>
}

/** The length of the JSON text, then the text, then the message (Haraka `outbound/index.js`, build_todo). */
function readQueueFile(file: string): QueuedMessage {
  const bytes = readFileSync(file)
  const text = bytes.toString('utf8', 4, 4 + bytes.readUInt32BE(0))
  const todo = JSON.parse(text) as {
    uuid: string
    rcpt_to: { original: string }[]
    notes: Record<string, unknown>
  }
  const rcptTo = todo.rcpt_to.map(({ original }) => original.replace(/^<|>$/g, ''))
  return { uuid: todo.uuid, rcptTo, notes: todo.notes }
}

function makeSite(options: StartHarakaOptions): string {
  const site = scratchDir('haraka')
  for (const folder of ['config', 'plugins', 'queue', 'node_modules']) {
    mkdirSync(path.join(site, folder))
  }
  // 3.3.4 does not start without this file.
  const core = cores[options.version ?? '3.3.4']
  cpSync(path.join(core, 'config/connection.ini'), path.join(site, 'config/connection.ini'))
  const files = { ...configFiles(options), ...options.config }
  for (const [name, text] of Object.entries(files)) {
    writeFileSync(path.join(site, 'config', name), text)
  }
  for (const [name, text] of Object.entries(options.localPlugins ?? {})) {
    writeFileSync(path.join(site, 'plugins', `${name}.js`), text)
  }
  new Sink(site)
  const plugin = options.package ?? root
  if (!existsSync(path.join(plugin, 'dist/plugins/unregistered-domain.js'))) {
    throw new Error(`the plugin is not compiled in ${plugin}: npm run build does it`)
  }
  symlinkSync(plugin, path.join(site, 'node_modules/haraka-plugin-unregistered-domain'))
  return site
}

function configFiles(options: StartHarakaOptions): Record<string, string> {
  const { plugins = defaultPlugins, users, tls, relayFrom = ['127.0.0.0/8'] } = options
  const first = [...(tls ? ['tls'] : []), ...(users ? ['auth/flat_file'] : [])]
  const files: Record<string, string> = {
    me: 'relay.example\n',
    plugins: [...first.filter((name) => !plugins.includes(name)), ...plugins, ''].join('\n'),
    'log.ini': formatIni({ main: { level: 'info' } }),
    relay_acl_allow: relayFrom.map((range) => `${range}\n`).join(''),
    'unregistered-domain.ini': pluginIni(options),
  }
  if (users) {
    // By default the AUTH plugins refuse senders outside the user's own domain.
    files['auth_flat_file.ini'] = formatIni({
      core: { methods: 'PLAIN,LOGIN', constrain_sender: false },
      users,
    })
  }
  if (tls) {
    files['tls_key.pem'] = tls.key
    files['tls_cert.pem'] = tls.cert
    files['dhparams.pem'] = FFDHE2048
    if (tls.ca) files['clients_ca.pem'] = tls.ca
    const ca = tls.ca ? { ca: 'clients_ca.pem' } : {}
    files['tls.ini'] = formatIni({ main: { key: 'tls_key.pem', cert: 'tls_cert.pem', ...ca } })
  }
  return files
}

function pluginIni({ settings = {}, redis }: StartHarakaOptions): string {
  const connection = redis ? { host: '127.0.0.1', port: redis.port } : {}
  return formatIni({ ...settings, redis: { ...connection, ...settings['redis'] } })
}

function smtpIni({ nodes = 0 }: StartHarakaOptions, port: number, smtpsPort: number | undefined) {
  const ports = smtpsPort === undefined ? [port] : [port, smtpsPort]
  const listen = ports.map((number) => `127.0.0.1:${number}`).join(',')
  const smtps = smtpsPort === undefined ? {} : { smtps_port: smtpsPort }
  return formatIni({ main: { listen, nodes, ...smtps } })
}

async function run(site: string, options: StartHarakaOptions): Promise<Service> {
  const { version = '3.3.4', plugins = defaultPlugins, nodes = 0, ready = true } = options
  const service = new Service({
    command: process.execPath,
    args: [path.join(cores[version], 'haraka.js')],
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
  const timeout = 30_000
  const enough = () => (service.log.match(pattern)?.length ?? 0) >= count
  await waitFor(() => service.ended || enough(), { timeout }).catch(() => {})
  if (enough()) return
  const how = service.ended ? 'has ended' : `has run ${timeout} ms`
  await service.kill()
  throw new Error(
    `Haraka ${how} without logging ${String(pattern)} ${count} times:\n${service.log}`,
  )
}
