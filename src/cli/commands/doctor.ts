import type { Command } from 'commander'
import type { Config } from '../../process/config'
import { FileMistakes } from '../../base/errors'
import { CONFIG_FILE, loadConfig, secretFiles } from '../../process/config-file'
import { harakaFiles, type HarakaFiles } from '../../config/haraka-files'
import { Lookup } from '../../dns/lookup'
import { contextOf, type Context } from '../kit/context'
import { checkConsistency, repairInconsistent } from '../doctor/consistency'
import { checkAlerts, checkContactTexts } from '../doctor/alerts'
import { checkConfigFile } from '../doctor/config'
import { checkEgress } from '../doctor/egress'
import { fail, warn, type Line } from '../doctor/line'
import { checkMailauth } from '../doctor/mailauth'
import { checkPlugins } from '../doctor/plugins'
import { pauseFirst, printLines } from '../doctor/print'
import { checkDirectory, checkSecrets } from '../doctor/secrets'
import { checkHarakaSettings, checkOwnSettings } from '../doctor/settings'
import { checkSnapshot } from '../doctor/snapshot'
import { checkInRedis, type Files } from '../doctor/in-redis'
import { checkSrsMx, checkSrsUse } from '../doctor/srs'
import { checkTenantsFile } from '../doctor/tenants-file'
import { StoreError } from '../kit/failure'
import type { Io } from '../kit/io'
import { longWork } from '../kit/long-work'
import { manual } from '../kit/manual'
import { withStore } from '../kit/store'

const NOT_ASKED = warn('redis', 'Redis was not checked', `correct ${CONFIG_FILE} first`)

interface Options {
  readonly repair?: boolean
  readonly dns?: string
  readonly verbose?: boolean
}

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
    .option('--verbose', 'print every finding; else those of one kind are one, with three examples')
    .action(async (options: Options, self: Command) => {
      const context = contextOf(io, self)
      const found = await examine(context, options.repair === true, new Lookup(options.dns))
      const lines = pauseFirst(found)
      context.out.result(lines, () => printLines(context.out, lines, options.verbose === true))
      if (lines.some(({ level }) => level === 'fail')) end(1)
    })
  manual(command, {
    examples: ['doctor', 'doctor --repair', 'doctor --json | jq \'.[] | select(.level != "ok")\''],
    json: [
      'an array of:',
      'level: ok | warn (works, but could be better or safer) | fail',
      'check: what was checked, a stable word',
      'message, advice (null where all is well)',
      'subject: what it is about, where there may be many such (a connector, a domain …), or null',
      'problem: what all findings of this kind have in common, in the plural, or null',
    ],
    exit: { 1: 'at least one fail' },
  })
}

async function examine(context: Context, mend: boolean, dns: Lookup): Promise<Line[]> {
  const directory = context.configDirectory
  if (directory === undefined) return checkAll(context, context.config(), {}, mend, dns)
  const files = harakaFiles(directory)
  const { lines, file, isUnreadable } = checkConfigFile(directory)
  if (isUnreadable) {
    return [...lines, ...checkHaraka(files, loadConfig(undefined).config), NOT_ASKED]
  }
  const { config } = context.site.loaded
  const tenantsFile = await checkTenantsFile(directory, config.tenants)
  return [
    ...lines,
    ...checkDirectory(directory),
    ...(file ? checkSecrets(secretFiles(directory, file)) : []),
    ...tenantsFile.lines,
    ...(await checkAll(context, config, { files, tenantsFile }, mend, dns)),
  ]
}

async function checkAll(
  context: Context,
  config: Config,
  found: Files,
  mend: boolean,
  dns: Lookup,
): Promise<Line[]> {
  return [
    ...checkOwnSettings(config),
    ...checkMailauth(config.forwarded),
    ...checkAlerts(config),
    ...checkContactTexts(config, context.configDirectory),
    ...checkHaraka(found.files, config),
    ...(await checkSnapshot(config.outage.snapshot)),
    ...(await checkEgress(config.egress)),
    ...checkSrsUse(config),
    ...(await checkSrsMx(config.srs, dns)),
    ...(await checkStore(context, config, found, mend)),
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
  found: Files,
  mend: boolean,
): Promise<Line[]> {
  try {
    const settings = context.site.redis()
    return await withStore(settings, async (unsigned) => {
      const store = mend ? await context.signed(unsigned, settings) : unsigned
      const { lines, registry } = await checkInRedis(store, settings, { config, ...found })
      if (!registry.known) return lines
      return [
        ...lines,
        ...(mend && registry.whole
          ? await longWork(context.io, 'repairing', (work) => repairInconsistent(store, work))
          : await checkConsistency(store)),
      ]
    })
  } catch (error) {
    if (error instanceof StoreError)
      return [fail('redis', error.message, 'the registry was not checked')]
    if (!(error instanceof FileMistakes)) throw error
    return [NOT_ASKED]
  }
}
