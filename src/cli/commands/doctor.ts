import type { Command } from 'commander'
import type { Config } from '../../process/config'
import { loadConfig, secretFiles } from '../../process/config-file'
import { harakaFiles, type HarakaFiles } from '../../config/haraka-files'
import type { Store } from '../../store/store'
import { Lookup } from '../../dns/lookup'
import { ConnectorRegistry } from '../../registry/connector-registry'
import { contextOf, type Context } from '../kit/context'
import { checkConsistency } from '../doctor/consistency'
import { checkAlertQueues, checkAlerts, checkContacts } from '../doctor/alerts'
import { checkBlocks } from '../doctor/blocks'
import { checkConfigFile } from '../doctor/config'
import { checkEgress } from '../doctor/egress'
import { checkBreadth, checkCertificates, checkMethods } from '../doctor/identities'
import { fail, warn, type Line } from '../doctor/line'
import { checkLost } from '../doctor/lost'
import { checkPlugins } from '../doctor/plugins'
import { checkRedis } from '../doctor/redis'
import { checkRegistry } from '../doctor/registry'
import { checkRelayAcl } from '../doctor/relay-acl'
import { checkDirectory, checkSecrets } from '../doctor/secrets'
import { checkHarakaSettings, checkOwnSettings } from '../doctor/settings'
import { checkSnapshot } from '../doctor/snapshot'
import { checkSrsMx, checkSrsOwner } from '../doctor/srs'
import { StoreError } from '../kit/failure'
import type { Io } from '../kit/io'
import { manual } from '../kit/manual'
import { count } from '../../base/count'
import type { Output, Tone } from '../kit/output'
import { withStore } from '../kit/store'

const TONES: Record<Line['level'], Tone> = { ok: 'good', warn: 'warn', fail: 'bad' }

/** `tenantctl doctor` */
export function add(program: Command, io: Io, end: (status: number) => void): void {
  const command = program
    .command('doctor')
    .description('check Redis, the configuration of Haraka and the registry')
    .option('--repair', 'repair indexes, ownership and identities that contradict each other')
    .option(
      '--dns <address>',
      'ask this resolver for the MX of [srs] domain, ADDRESS or ADDRESS:PORT (default: that of the system)',
    )
    .action(async (options: { repair?: boolean; dns?: string }, self: Command) => {
      const context = contextOf(io, self)
      const lines = await examine(context, options.repair === true, new Lookup(options.dns))
      context.out.result(lines, () => print(context.out, lines))
      if (lines.some(({ level }) => level === 'fail')) end(1)
    })
  manual(command, {
    examples: ['doctor', 'doctor --repair', 'doctor --json | jq \'.[] | select(.level != "ok")\''],
    json: [
      'an array of:',
      'level: ok | warn (works, but could be better or safer) | fail',
      'check: what was checked, a stable word',
      'message, advice (null where all is well)',
    ],
    exit: { 1: 'at least one fail' },
  })
}

async function examine(context: Context, mend: boolean, dns: Lookup): Promise<Line[]> {
  const directory = context.configDirectory
  const files = directory === undefined ? undefined : harakaFiles(directory)
  const { lines, file } = directory === undefined ? { lines: [] } : checkConfigFile(directory)
  if (lines.some(({ level }) => level === 'fail')) {
    return [...lines, ...checkHaraka(files, file?.config ?? loadConfig(undefined))]
  }
  const config = context.config()
  return [
    ...lines,
    ...checkOwnSettings(config),
    ...checkAlerts(config.alerts),
    ...(directory === undefined ? [] : checkDirectory(directory)),
    ...(directory !== undefined && file ? checkSecrets(secretFiles(directory, file)) : []),
    ...checkHaraka(files, config),
    ...(await checkSnapshot(config.outage.snapshot)),
    ...(await checkEgress(config.egress)),
    ...(await checkSrsMx(config.srs, dns)),
    ...(await checkStore(context, config, files, mend)),
  ]
}

function checkHaraka(files: HarakaFiles | undefined, config: Config): Line[] {
  if (files) return [...checkPlugins(files, config), ...checkHarakaSettings(files)]
  return [
    warn(
      'config',
      "Haraka's own configuration was not checked",
      "name Haraka's config directory with --config DIR",
    ),
  ]
}

async function checkStore(
  context: Context,
  config: Config,
  files: HarakaFiles | undefined,
  mend: boolean,
): Promise<Line[]> {
  try {
    return await withStore(config.redis, async (store) => {
      if (mend) await context.sign(store, config.redis)
      const redis = await checkRedis(store, config.redis)
      const registry = await checkRegistry(store, config.outage.snapshot)
      if (!registry.known) return [...redis, registry.line]
      return [
        ...redis,
        registry.line,
        await checkLost(store),
        ...(await checkConnectors(store, files, config)),
        ...(await checkAlertQueues(store, config.alerts)),
        ...(await checkContacts(store, config.alerts)),
        ...(await checkSrsOwner(config.srs, store)),
        ...(await checkConsistency(store, mend && registry.whole)),
      ]
    })
  } catch (error) {
    if (!(error instanceof StoreError)) throw error
    return [fail('redis', error.message, 'the registry was not checked')]
  }
}

async function checkConnectors(
  store: Store,
  files: HarakaFiles | undefined,
  config: Config,
): Promise<Line[]> {
  const connectors = await new ConnectorRegistry(store).list()
  return [
    ...checkBreadth(connectors),
    ...checkBlocks(connectors),
    ...checkMethods(connectors, files, config),
    ...(files ? checkCertificates(connectors, files) : []),
    ...(files ? checkRelayAcl(connectors, files, config.attribution.unknown) : []),
  ]
}

function print(out: Output, lines: readonly Line[]): void {
  for (const { level, check, message, advice } of lines) {
    out.line(`${level.padEnd(4)}  ${check}: ${message}`, TONES[level])
    if (advice !== null) out.line(`      → ${advice}`)
  }
  const number = (level: Line['level']): number =>
    lines.filter((each) => each.level === level).length
  out.line()
  out.line(
    `${number('ok')} ok, ${count(number('warn'), 'warning')}, ${count(number('fail'), 'fail')}`,
  )
}
