import path from 'node:path'
import type { Command } from 'commander'
import { defaultsOf } from '../../allowance/defaults'
import { Ledger } from '../../allowance/ledger'
import { count } from '../../base/count'
import { InputError } from '../../base/errors'
import { METERS, PROVEN_METER } from '../../mail/meters'
import { applyFile, pastLimitsOf } from '../../operations/apply-file'
import { IDLE_FORWARDS_ADVICE, idleForwardsInWords } from '../../operations/idle-forwards'
import { assertMeant, readPrune } from '../../operations/prune'
import type { Config } from '../../process/config'
import type { Store } from '../../store/store'
import { readTenantsFile } from '../../tenants-file/read'
import type { TenantsFile } from '../../tenants-file/tenants-file'
import { askFirst } from '../kit/ask-first'
import { contextOf, type Context } from '../kit/context'
import type { Io } from '../kit/io'
import { longWork } from '../kit/long-work'
import { manual } from '../kit/manual'
import { applyView, printApplied } from '../views/apply'
import { lossLines } from '../views/loss'

const REFUSED = 4

interface Options {
  readonly dryRun?: boolean
  /** The number of tenants that go; empty: it was not given. */
  readonly prune?: string
  readonly yes?: boolean
}

/** `tenantctl apply` */
export function add(program: Command, io: Io, end: (status: number) => void): void {
  const command = program
    .command('apply')
    .description('apply a tenants file: adds and updates, all or nothing for each tenant')
    .argument('<file>', 'YAML, such as unregistered-domain.tenants.yaml')
    .option('--dry-run', 'change nothing, and say what would be done')
    .option(
      '--prune [=n]',
      'remove what came from this file and is no longer in it; a large prune takes the number of tenants that go: --prune=12',
    )
    .option('--yes', 'do not ask before tenants, domains or connectors are removed')
    .action(async (file: string, options: Options, self: Command) => {
      const context = contextOf(io, self)
      const dryRun = options.dryRun === true
      const given = numberOf(options.prune)
      const tenantsFile = await readTenantsFile(path.resolve(io.cwd, file))
      // What a dry run shows may come from a default; what is applied may not.
      if (!dryRun) context.needed('registry')
      const config = context.config()
      const use = async (store: Store): Promise<void> => {
        const prune = options.prune !== undefined
        if (prune && !(await mayPrune(context, store, tenantsFile, { ...options, given }))) return
        const { by } = context
        const { neverRegister } = config.registry
        const report = await longWork(io, 'applying tenants', (work) =>
          applyFile(store, tenantsFile, { by, dryRun, prune, neverRegister }, work),
        )
        const meters = { store, ledger: new Ledger(store, config.redis.commandTimeout) }
        const past = await pastLimitsOf(meters, tenantsFile, report, defaultsOf(config))
        context.out.result(applyView(report, past, dryRun), () =>
          printApplied(context.out, report, past, dryRun),
        )
        noteIdleForwards(context, tenantsFile, config)
        for (const text of report.refused) context.note(text)
        for (const { message } of report.errors) context.note(message)
        if (report.errors.length + report.refused.length > 0) end(REFUSED)
      }
      await (dryRun ? context.connected(use) : context.writing(use))
    })
  takeNumberBehindEqualsSign(command)
  manual(command, {
    examples: [
      'apply config/unregistered-domain.tenants.yaml --dry-run',
      'apply config/unregistered-domain.tenants.yaml',
      'apply config/unregistered-domain.tenants.yaml --prune',
      'apply config/unregistered-domain.tenants.yaml --prune=12 --yes',
    ],
    json: [
      'dry_run: true where nothing was changed',
      'added, updated, removed: arrays of texts, such as "domain contoso.com of contoso"',
      'changes: array of {of, what, from, to}: what is different in all that is updated',
      'unchanged: how many are as the file says',
      'left: what came from this file, is no longer in it, and stays without --prune',
      'refused: what --prune must leave, with the reason',
      'errors: array of {tenant, message, line, column}: of these tenants nothing was applied',
      'detached: tenants of the file that were detached from it (tenant detach), and are left alone',
      'past_limits: tenants that have reached a limit that the file has changed',
    ],
    exit: {
      2: 'mistakes in the file, each with its line and column; nothing was applied',
      4: 'some tenants were refused, for example because another one owns a domain; or a large --prune without the number of tenants that go, and nothing was applied',
      130: 'stopped by Ctrl-C: each tenant is applied as a whole or not at all; the same command goes on',
    },
  })
}

/** Notes tenants whose allowance for forwards has no effect: a file may come before the setting. */
function noteIdleForwards(context: Context, { tenants }: TenantsFile, { forwarded }: Config): void {
  if (forwarded.enabled) return
  const { limitsField } = METERS[PROVEN_METER]
  const idle = tenants.filter(({ settings }) => settings[limitsField])
  if (idle.length === 0) return
  context.note(`${idleForwardsInWords(idle.map(({ id }) => id))}; ${IDLE_FORWARDS_ADVICE}`)
}

/**
 * Checks a prune, and asks for it.
 *
 * @throws {RefusedError} it is a large one, and its number was not given.
 */
async function mayPrune(
  context: Context,
  store: Store,
  file: TenantsFile,
  { dryRun, yes, given }: Options & { readonly given: number | undefined },
): Promise<boolean> {
  const prune = await longWork(context.io, 'comparing tenants', (work) =>
    readPrune(store, file, work),
  )
  if (dryRun) {
    if (prune.large !== undefined) {
      context.note(`this prune would remove ${prune.large}: it needs --prune=${prune.tenants}`)
    }
    return true
  }
  assertMeant(prune, given)
  if (prune.loss.tenants.length === 0) return true
  const { domains, connectors } = prune.loss
  const what = `${count(prune.tenants, 'tenant')}, ${count(domains, 'domain')} and ${count(connectors, 'connector')}`
  const isConfirmed = await askFirst(context, {
    yes: yes === true,
    lines: () => Promise.resolve(lossLines(prune.loss)),
    question: `Remove ${what}?`,
  })
  if (!isConfirmed) context.note('nothing was applied')
  return isConfirmed
}

/** @throws {InputError} */
function numberOf(text: string | undefined): number | undefined {
  if (text === undefined || text === '') return undefined
  if (/^\d{1,9}$/.test(text)) return Number(text)
  throw new InputError(`--prune="${text}" is no number of tenants: give such as --prune=12`)
}

/** `--prune FILE` names the file, as before there was a number. */
function takeNumberBehindEqualsSign(command: Command): void {
  const parse = command.parseOptions.bind(command)
  command.parseOptions = (args) =>
    parse(args.map((each) => (each === '--prune' ? '--prune=' : each)))
}
