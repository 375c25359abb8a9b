import type { Command } from 'commander'
import { assertTenantId } from '../../mail/identities'
import { isoTime, shortTime } from '../../base/time'
import { OverviewReader, type Overview, type Waiting } from '../../unusual/overview'
import { allRows } from '../kit/all-rows'
import { contextOf } from '../kit/context'
import type { Io } from '../kit/io'
import { manual } from '../kit/manual'
import type { Output } from '../kit/output'
import { NO_TENANT } from '../kit/statuses'

const FIELDS = [
  'tenant',
  'rules: the rules that match now, each {rule: the key of [unusual], words, facts: an object,',
  '  since, event: time and id of the first alert; both null before there is one}',
  'waiting: rules without enough history yet, each {rule, until: null where [report] days',
  '  keeps too little for it}',
  'hygiene: each {connector, what: never_used | unused | disabled | blocked |',
  '  certificate_expires | certificate_expired, words, at}',
]

/** `tenantctl unusual [TENANT]` */
export function add(program: Command, io: Io): void {
  const command = program
    .command('unusual')
    .description('what is unusual about the mail of a tenant, or of all, and what to tidy up')
    .argument('[tenant]')
    .addOption(allRows())
    .action(async (tenant: string | undefined, _options: object, self: Command) => {
      const context = contextOf(io, self)
      const { out } = context
      if (tenant !== undefined) assertTenantId(tenant)
      await context.connected(async (store, config) => {
        const reader = new OverviewReader(store, config)
        if (tenant === undefined) {
          const all = await reader.all()
          out.result(all.map(viewOf), () => print(out, all))
        } else {
          const one = await reader.one(tenant)
          out.result(viewOf(one), () => {
            print(out, [one])
            printWaiting(out, one.waiting)
          })
        }
      })
    })
  manual(command, {
    examples: [
      'unusual',
      'unusual contoso',
      "unusual --json | jq -r '.[] | .tenant as $t | .rules[] | [$t, .rule, .words] | @tsv'",
    ],
    json: ['with TENANT an object, else an array of those with rules or hygiene:', ...FIELDS],
    exit: NO_TENANT,
  })
}

function print(out: Output, overviews: readonly Overview[]): void {
  out.table(
    ['TENANT', 'RULE', 'SINCE', 'WHAT IT SEES'],
    overviews.flatMap(({ tenant, rules }) =>
      rules.map(({ rule, raised, words }) => [
        tenant,
        { text: rule, tone: 'warn' as const },
        raised ? shortTime(raised.since) : 'just now',
        words,
      ]),
    ),
    'nothing is unusual in the last 24 hours',
  )
  const untidy = overviews.flatMap((each) => each.untidy)
  if (untidy.length === 0) return
  out.line()
  out.table(
    ['CONNECTOR', 'TO TIDY UP'],
    untidy.map(({ connector, words }) => [connector, words]),
    '',
  )
}

function printWaiting(out: Output, waiting: readonly Waiting[]): void {
  if (waiting.length === 0) return
  out.line()
  out.table(
    ['RULE', 'WAITS FOR ENOUGH HISTORY'],
    waiting.map(({ rule, until }) => [
      rule,
      until === undefined ? 'for ever: [report] days is too short' : `until ${shortTime(until)}`,
    ]),
    '',
  )
}

function viewOf({ tenant, rules, waiting, untidy }: Overview): object {
  return {
    tenant,
    rules: rules.map(({ rule, words, facts, raised }) => ({
      rule,
      words,
      facts,
      since: raised ? isoTime(raised.since) : null,
      event: raised?.event ?? null,
    })),
    waiting: waiting.map(({ rule, until }) => ({
      rule,
      until: until === undefined ? null : isoTime(until),
    })),
    hygiene: untidy.map(({ at, ...each }) => ({ ...each, at: isoTime(at) })),
  }
}
