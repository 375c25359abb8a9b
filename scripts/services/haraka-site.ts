import { cpSync, existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { formatIni, type Ini } from './ini'
import { scratchDir } from './scratch'
import { Sink } from './sink'

/** The Haraka versions installed next to the plugin. */
export type HarakaVersion = '3.3.4' | '3.1.7'

/** Options of startHaraka(). */
export interface StartHarakaOptions {
  /** Default 3.3.4. */
  version?: HarakaVersion
  /** 0 is a single process, else a cluster with this many workers; default 0. */
  nodes?: number
  /** The port of the plugin's Redis, which need not be running. */
  redis?: { readonly port: number }
  /** Settings of unregistered-domain.ini, over its defaults and [redis] above. */
  settings?: Ini
  /**
   * config/plugins, in order. `tls` and `auth/flat_file` come before it where the options ask for
   * them. Default: relay, unregistered-domain, test_sink.
   */
  plugins?: string[]
  /** Sources of plugins of the site, by name; to run, they must be in `plugins` too. */
  localPlugins?: Record<string, string>
  /** Further files of config/, by name; they override files written from the other options. */
  config?: Record<string, string>
  /** AUTH users and their passwords, for auth/flat_file. */
  users?: Record<string, string>
  /** Addresses that may relay (relay_acl_allow); default: the whole loopback, 127.0.0.0/8. */
  relayFrom?: string[]
  /** Server certificate and key (PEM), and the CA of client certificates; enables STARTTLS. */
  tls?: { key: string; cert: string; ca?: string }
  /** Listens for SMTPS as well, see `smtpsPort`; needs `tls`. */
  smtps?: boolean
  /**
   * false does not wait until the plugin is ready in every process, only until Haraka listens;
   * for a Redis that is away.
   */
  ready?: boolean
  /** A script that each of its processes runs first, for example to replace a Node module. */
  preload?: string
  /** The program and arguments that run its `haraka.js`; default: the Node.js of this process. */
  command?: readonly [string, ...string[]]
  /** Folder of the plugin package; default: this repository. */
  package?: string
}

/** The default plugins. */
export const defaultPlugins: readonly string[] = ['relay', 'unregistered-domain', Sink.plugin]

const root = path.resolve(__dirname, '../..')
/** The folder of each version. */
export const cores: Record<HarakaVersion, string> = {
  '3.3.4': path.join(root, 'node_modules/haraka'),
  '3.1.7': path.join(root, 'node_modules/haraka-v3.1'),
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

/** A scratch site with all files but smtp.ini; its folder is Haraka's `$HARAKA`. */
export function makeSite(options: StartHarakaOptions): string {
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

/** Longer than the plugin's default, since Redis may answer slowly on a busy machine, in ms. */
const COMMAND_TIMEOUT = 2000

/** unregistered-domain.ini, with the Redis of the options. */
export function pluginIni({ settings = {}, redis }: StartHarakaOptions): string {
  const connection = redis
    ? { host: '127.0.0.1', port: redis.port, command_timeout: COMMAND_TIMEOUT }
    : {}
  return formatIni({ ...settings, redis: { ...connection, ...settings['redis'] } })
}

/** smtp.ini; it listens on the loopback only. */
export function smtpIni(
  { nodes = 0 }: StartHarakaOptions,
  port: number,
  smtpsPort: number | undefined,
) {
  const ports = smtpsPort === undefined ? [port] : [port, smtpsPort]
  const listen = ports.map((number) => `127.0.0.1:${number}`).join(',')
  const smtps = smtpsPort === undefined ? {} : { smtps_port: smtpsPort }
  return formatIni({ main: { listen, nodes, ...smtps } })
}
