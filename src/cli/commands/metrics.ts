import type { Command } from 'commander'
import { defaultsOf } from '../../allowance/defaults'
import { InputError } from '../../base/errors'
import { Exporter } from '../../metrics/exporter'
import { serveMetrics } from '../../metrics/server'
import { isLoopback, listenText, type Listen } from '../../base/listen'
import { parseListen } from '../../metrics/settings'
import { readToken } from '../../metrics/token'
import type { Config } from '../../process/config'
import { Keys } from '../../store/keys'
import { Store } from '../../store/store'
import { contextOf, type Context } from '../kit/context'
import type { Io } from '../kit/io'
import { manual } from '../kit/manual'
import { connectSteadily } from '../kit/steady'

/** How long the start waits for Redis, in ms: a first scrape would say that it is away. */
const CONNECTING = 2000
/** How long `--once` waits for what takes long, in ms. */
const ALL = 10_000

interface MetricsOptions {
  readonly listen?: Listen
  readonly once?: boolean
}

/** `tenantctl metrics` */
export function add(program: Command, io: Io): void {
  const command = program
    .command('metrics')
    .description('serve metrics of all hosts for Prometheus, until Ctrl-C or SIGTERM')
    .option('--listen <address:port>', 'where; default: [metrics] listen', parseListen)
    .option('--once', 'print them once instead')
    .action(async ({ listen, once }: MetricsOptions, self: Command) => {
      const context = contextOf(io, self)
      context.needed('metrics')
      const config = context.config()
      const version = program.version() ?? ''
      if (once) await printOnce(context, config, version)
      else await serve(context, config, version, listen ?? config.metrics.listen)
    })
  manual(command, {
    examples: [
      'metrics',
      'metrics --listen 127.0.0.1:9825',
      'metrics --once > /var/lib/prometheus/node-exporter/unregistered-domain.prom',
    ],
    json: ['none: it is the text format of Prometheus, 0.0.4'],
    exit: { 1: 'it cannot listen there; with --once: Redis away' },
  })
}

async function printOnce(context: Context, config: Config, version: string): Promise<void> {
  await context.connected(async (store) => {
    const text = await exporterOf(context, config, version, store, ALL).text()
    context.io.stdout.write(text)
  })
}

async function serve(
  context: Context,
  config: Config,
  version: string,
  listen: Listen,
): Promise<void> {
  const { redis, metrics, owner } = config
  const { tokenFile } = metrics
  const token = tokenFile === undefined ? undefined : readToken(tokenFile, owner)
  if (token === undefined && !isLoopback(listen)) {
    throw new InputError(
      `${listenText(listen)} can be reached from other machines: set [metrics] token_file, or listen on 127.0.0.1`,
    )
  }
  const client = connectSteadily(redis, (line) => context.note(line))
  try {
    await connected(client)
    const exporter = exporterOf(context, config, version, new Store(client, new Keys(redis.prefix)))
    const server = await serveMetrics(listen, { token, metrics: () => exporter.text() })
    context.note(`metrics at http://${listenText(server.at)}/metrics`)
    await new Promise<void>((resolve) => context.io.onInterrupt(resolve))
    await server.stop()
  } finally {
    client.disconnect()
  }
}

/** Waits for the first connection, and no longer than {@link CONNECTING}. */
function connected(client: Store['client']): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, CONNECTING)
    client.once('ready', () => {
      clearTimeout(timer)
      resolve()
    })
  })
}

function exporterOf(
  context: Context,
  config: Config,
  version: string,
  store: Store,
  patience?: number,
): Exporter {
  return new Exporter({
    ...{ store, version },
    settings: config.metrics,
    defaults: defaultsOf(config),
    commandTimeout: config.redis.commandTimeout,
    onTrouble: (reason) => context.note(`some metrics are left out: ${reason}`),
    ...(patience === undefined ? {} : { patience }),
  })
}
