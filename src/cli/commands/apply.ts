import path from 'node:path'
import type { Command } from 'commander'
import { Cases } from '../../cases/cases'
import type { Store } from '../../store/store'
import { applyTenantsFile, type ApplyReport } from '../../tenants-file/apply'
import { readTenantsFile } from '../../tenants-file/read'
import { contextOf, type Context } from '../kit/context'
import type { Io } from '../kit/io'
import { manual } from '../kit/manual'

const REFUSED = 4

interface Options {
  readonly dryRun?: boolean
  readonly prune?: boolean
}

/** `tenantctl apply` */
export function add(program: Command, io: Io, end: (status: number) => void): void {
  const command = program
    .command('apply')
    .description('apply a tenants file: adds and updates, all or nothing for each tenant')
    .argument('<file>', 'YAML, such as unregistered-domain.tenants.yaml')
    .option('--dry-run', 'change nothing, and say what would be done')
    .option('--prune', 'remove what came from this file and is no longer in it')
    .action(async (file: string, options: Options, self: Command) => {
      const context = contextOf(io, self)
      const dryRun = options.dryRun === true
      const prune = options.prune === true
      const tenantsFile = await readTenantsFile(path.resolve(io.cwd, file))
      const use = async (store: Store): Promise<void> => {
        const report = await applyTenantsFile(store, tenantsFile, {
          ...{ dryRun, prune },
          onRemoved: (tenant) => new Cases(store).closeOfRemoved(tenant, context.by),
        })
        context.out.result({ dry_run: dryRun, ...report }, () => print(context, report, dryRun))
        if (report.errors.length + report.refused.length > 0) end(REFUSED)
      }
      await (dryRun ? context.connected(use) : context.writing(use))
    })
  manual(command, {
    examples: [
      'apply config/unregistered-domain.tenants.yaml --dry-run',
      'apply config/unregistered-domain.tenants.yaml',
      'apply config/unregistered-domain.tenants.yaml --prune',
    ],
    json: [
      'dry_run: true where nothing was changed',
      'added, updated, removed: arrays of texts, such as "domain contoso.com of contoso"',
      'unchanged: how many are as the file says',
      'left: what came from this file, is no longer in it, and stays without --prune',
      'refused: what --prune must leave, with the reason',
      'errors: array of {tenant, message, line, column}: of these tenants nothing was applied',
    ],
    exit: {
      2: 'mistakes in the file, each with its line and column; nothing was applied',
      4: 'some tenants were refused, for example because another one owns a domain',
    },
  })
}

function print(context: Context, report: ApplyReport, dryRun: boolean): void {
  const { out } = context
  for (const [done, planned, texts] of [
    ['added', 'would add', report.added],
    ['updated', 'would update', report.updated],
    ['removed', 'would remove', report.removed],
    ['not in the file, kept:', 'not in the file:', report.left],
  ] as const) {
    for (const text of texts) out.line(`${dryRun ? planned : done} ${text}`)
  }
  for (const text of report.refused) context.note(text)
  for (const { message } of report.errors) context.note(message)
  out.line(`${report.unchanged} unchanged`)
}
