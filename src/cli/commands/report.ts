import { Help, type Command } from 'commander'
import { CLASSES, SOURCE_CLASSES } from '../../mail/classes'
import { InputError } from '../../base/errors'
import { readReports, USUAL_DIMENSIONS } from '../../operations/report'
import type { SpanOptions } from '../../operations/report-span'
import { classFilter, parseFilter, type Filter } from '../../reporting/filter'
import type { Dimensions } from '../../reporting/report'
import { allRows } from '../kit/all-rows'
import { contextOf } from '../kit/context'
import { COUNTS_FIELDS } from '../views/counts'
import type { Io } from '../kit/io'
import { manual } from '../kit/manual'
import { printReport, reportCsv, reportJson } from '../views/report'
import { NO_TENANT } from '../kit/statuses'

interface Options extends SpanOptions {
  readonly by?: string
  readonly class?: Filter
  readonly where?: readonly Filter[]
  readonly csv?: boolean
}

const CHOICES: Dimensions = ['domain', 'connector', 'ip', 'user', 'class', 'hour', 'day']

/** `tenantctl report [TENANT]` */
export function add(program: Command, io: Io): void {
  const command = program
    .command('report')
    .description(
      'unregistered mail of a tenant, or of all: from whom, how much, with what result, samples',
    )
    .argument('[tenant]')
    .option('--days <n>', 'the last days (UTC), today among them (default: 7)')
    .option('--from <time>', 'a day (2026-11-24) or a time (2026-11-24T15:00Z)')
    .option('--to <time>', 'the last day, or the time before which it ends (default: now)')
    .option(
      '--by <what>',
      `a line for each ${CHOICES.join(', ')} (default: day, connector, domain); the global --by NAME goes before report`,
    )
    .option(
      '--where <filter>',
      'only rows with KEY=VALUE, or KEY^=START; keys: domain, connector, ip, user (repeatable)',
      (text, filters: readonly Filter[] = []) => [...filters, parseFilter(text)],
    )
    .option('--class <class>', `only ${classesInHelp()} mail`, classFilter)
    .option('--csv', 'print CSV')
    .addOption(allRows())
    .action(async (tenant: string | undefined, options: Options, self: Command) => {
      const context = contextOf(io, self)
      const { out } = context
      const by = dimensionsOf(options.by)
      if (out.json && options.csv) throw new InputError('--csv or --json: one of them')
      await context.connected(async (store, config) => {
        const { where = [], class: only, ...span } = options
        const filters = only ? [...where, only] : where
        const report = await readReports(
          store,
          { ...span, tenant, by, filters },
          config.report.days,
        )
        if (report.note !== undefined) context.note(report.note)
        if (options.csv) io.stdout.write(reportCsv(report))
        else out.result(reportJson(report), () => printReport(out, report))
      })
    })
  command.configureHelp({
    ...command.configureHelp(),
    // The command has its own --by.
    visibleGlobalOptions(each) {
      return Help.prototype.visibleGlobalOptions
        .call(this, each)
        .filter(({ long }) => long !== '--by')
    },
  })
  manual(command, {
    examples: [
      'report contoso',
      'report contoso --days 30 --by domain',
      'report contoso --where domain^=lure --where connector=exchange --by hour --days 2',
      'report --class foreign',
      'report contoso --from 2026-11-01 --to 2026-11-15 --csv > report.csv',
      'report --by connector',
    ],
    json: [
      'from, to: the span, to excluded; by: what a row is for',
      'tenants: each {tenant, unregistered, foreign, forwarded (what --where and --class let through),',
      '  registered, null: counts as below, share of the first three, other_domains: about how many',
      '  domains that (other) sums up, header_from, null_header_from}',
      'header_from: null with --where or --class, else {from, to: whole days, looked: registered',
      '  messages whose header From was looked at, mismatched: those of them that name no accepted',
      '  domain, domains: each {domain, connector, messages}}',
      'null_header_from: the same of mail with the null sender',
      'rows: each {tenant, class: unregistered | foreign | forwarded, those of day, hour, connector,',
      '  domain, ip, user that it is for, and}',
      ...COUNTS_FIELDS,
      'share: accepted recipients as a share of all the tenant had in that time, or null',
      'foreign, forwarded, registered, null: by day or hour without --where, counts of that time;',
      '  the row is of unregistered mail, and without class',
      'owners: of foreign mail, the tenants that own the domains',
      'ips, domains: the 20 with the most recipients; samples: each {message_id, helo}',
      'distinct_domains: of a row for (other), about how many that are; else null',
    ],
    exit: NO_TENANT,
  })
}

function classesInHelp(): string {
  const words = SOURCE_CLASSES.map((each) => CLASSES[each].words.help)
  return `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`
}

/** @throws {InputError} */
function dimensionsOf(by: string | undefined): Dimensions {
  if (by === undefined) return USUAL_DIMENSIONS
  const choice = CHOICES.find((each) => each === by)
  if (choice) return [choice]
  throw new InputError(`--by "${by}" is not one of ${CHOICES.join(', ')}`)
}
