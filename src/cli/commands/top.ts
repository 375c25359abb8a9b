import type { Command } from 'commander'
import { InputError } from '../../base/errors'
import { parseDuration } from '../../mail/limits'
import { TopReader } from '../../operations/top'
import { contextOf } from '../kit/context'
import type { Io } from '../kit/io'
import { manual } from '../kit/manual'
import { hasScreen } from '../kit/screen'
import { COMMAND_TIMEOUT } from '../kit/store'
import { AGE_OF_FIGURES, printTop, summaryOf, topView } from '../views/top'
import { watchTop } from './top-screen'

const LONGEST_INTERVAL = 60_000

interface TopOptions {
  readonly once?: boolean
  readonly interval: string
}

/** `tenantctl top` */
export function add(program: Command, io: Io): void {
  const command = program
    .command('top')
    .description(
      'what goes on now: the tenants by unregistered recipients a minute, renewed until q or Ctrl-C',
    )
    .option('--once', 'print it once; with --json for programs')
    .option('--interval <time>', 'how often it is read anew, 1s to 60s', '1s')
    .action(async ({ once, interval: every }: TopOptions, self: Command) => {
      const context = contextOf(io, self)
      const { out } = context
      const ms = intervalOf(every)
      if (!once) assertScreen(io, out.json)
      await context.connected(async (store, config) => {
        const reader = new TopReader(store, config, COMMAND_TIMEOUT)
        if (!once) return watchTop(context, reader, ms)
        const top = await reader.list()
        out.result(topView(top), () => {
          for (const line of summaryOf(top)) out.line(...line)
          out.line(AGE_OF_FIGURES, 'faint')
          printTop(out, top.tenants)
        })
      })
    })
  manual(command, {
    examples: [
      'top',
      'top --once',
      "top --once --json | jq -r '.tenants[] | select(.refused_per_minute > 0) | .tenant'",
    ],
    json: [
      'only with --once: an object of',
      'at; paused: null, or {since, until, by, reason, everything}',
      'restricted: how many tenants are; active: how many had mail that is not registered in the',
      '  last 5 minutes; not_shown: how many of them are not in tenants',
      'tenants: at most 50, those with most unregistered recipients a minute first, each the fields of',
      '  status --json and',
      'state: restricted | probation | near_limit (past the lowest warn_at) | ok',
      'unregistered_per_minute, refused_per_minute: recipients of the last 60 seconds, without deferred',
      '  ones; as mail is recorded, up to 5 seconds late. A message refused at MAIL is one recipient',
      'top_domain: null, or {value, messages, recipients, share (0 to 1)} of this hour',
      'connector: tenant/name, empty, or null: where most of the mail of the last minute came through',
      'windows, forecast and restriction are exact',
    ],
  })
}

/** In ms. @throws {InputError} */
function intervalOf(text: string): number {
  const ms = parseDuration('--interval', text)
  if (ms <= LONGEST_INTERVAL) return ms
  throw new InputError(`--interval "${text}" is longer than 60s`)
}

/** @throws {InputError} */
function assertScreen(io: Io, json: boolean): void {
  if (json) throw new InputError('top prints JSON only with --once: give both')
  if (hasScreen(io)) return
  throw new InputError(
    'top renews a screen and reads keys, so it needs a terminal: give --once to print it once',
  )
}
