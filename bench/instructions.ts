import os from 'node:os'
import { formatIni } from '../scripts/services/ini'
import type { TestRedis } from '../scripts/services/redis'
import {
  hasCallgrind,
  holdStill,
  instructionsDuring,
  startCounting,
  UNDER_CALLGRIND,
} from './callgrind'
import { keepInFlight } from './charge'
import { mailServers, registerTenants, SUBJECTS } from './mail'
import { sendMessages } from './mail-load'
import { aloneOf, type Subject } from './paired'
import { atMost, skipped, whole, type Row, type Section } from './row'
import { startServers, type LeanOptions } from './servers'
import { median } from './stats'

const { registered, unregistered, refused, limit } = SUBJECTS

/** The base of all ratios. */
const ALONE = 'Haraka alone'

/** The kinds of mail, each in its own process. */
const COUNTED: Readonly<Record<string, Subject>> = {
  [ALONE]: aloneOf(registered),
  'four empty hooks': { ...registered, server: 'hooks' },
  registered,
  'unregistered, charged': unregistered,
  'refused at MAIL': refused,
  'haraka-plugin-limit': limit,
}

/** Targets, Haraka alone = 1. */
const MOST: Readonly<Record<string, number>> = { registered: 1.04, 'unregistered, charged': 1.18 }
/** The target for this version, the other one = 1: two counts of one version differ by as much. */
const MOST_AGAINST = 1.005

/** The hooks that the plugin has for a registered message. */
const EMPTY_HOOKS = `exports.register = function () {
  this.timeout = 0
  for (const hook of ['mail', 'rcpt_ok', 'data_post', 'reset_transaction']) this.register_hook(hook, 'empty')
}
exports.empty = (next) => next()
`

/** Under callgrind a new Haraka is too slow for the usual timeout of Redis. */
const PATIENT = { redis: { command_timeout: 60_000 } }

const FULL = { levels: ['notice', 'info'], batches: 4, warmUp: 10, messages: 500 }
const QUICK = { levels: ['notice'], batches: 2, warmUp: 3, messages: 100 }

/** One kind of mail through one process. */
interface Kind {
  readonly what: string
  /** Log level of Haraka. */
  readonly level: string
  /** Folder of the other version of the plugin, if this counts it. */
  readonly against?: string
}

/** Instructions a message. */
export interface Count extends Kind {
  /** Of each batch. */
  readonly batches: readonly number[]
}

/** Instructions of Haraka a message, with and without plugins. */
export const instructions: Section = {
  name: 'instructions',
  title: 'Instructions of Haraka a message',
  meaning:
    'Counted by callgrind, without the kernel, for the mail of the first section. Each kind of mail has a Haraka of ' +
    'its own and warms it up; then V8 compiles no more, and the figure is the least of several batches. Figures of two ' +
    'runs differ by up to 2 %. The ratio of two versions (--against) counted at the same time differs by up to 0.6 %; ' +
    'the time of two equal processes by 3 to 6 %.',
  async run({ quick, say, against }) {
    if (!hasCallgrind()) {
      const why = 'valgrind is not installed (Debian: apt-get install valgrind)'
      return { rows: [skipped('instructions a message', why)] }
    }
    const effort = quick ? QUICK : FULL
    const kinds = effort.levels.flatMap((level) => kindsAt(level, against))
    const counts: Count[] = []
    await keepInFlight(kinds.length, os.availableParallelism(), async (number) => {
      const kind = kinds[number]!
      say(`${kind.what}, log level ${kind.level}`)
      counts[number] = { ...kind, batches: await count(kind, effort) }
    })
    return { rows: rowsOf(counts) }
  },
}

/** Each kind through this version, followed by the same through the other. */
function kindsAt(level: string, against: string | undefined): Kind[] {
  return Object.entries(COUNTED).flatMap(([what, { server }]) => [
    { what, level },
    ...(server === 'ours' && against !== undefined ? [{ what, level, against }] : []),
  ])
}

async function count(kind: Kind, { batches, messages, warmUp }: typeof FULL): Promise<number[]> {
  const { server, ip, mail } = COUNTED[kind.what]!
  const { harakas, stop } = await startServers(registerTenants, (redis) => ({
    counted: optionsOf(kind, server, redis),
  }))
  const { port, pid } = harakas.counted
  const send = (messages: number): Promise<void> => sendMessages({ ip, mail, port, messages })
  try {
    // Sent alone: the process loads files for the first one.
    await send(1)
    for (let batch = 0; batch < warmUp; batch++) await send(messages)
    startCounting(harakas.counted)
    const counts: number[] = []
    while (counts.length < batches) {
      counts.push((await instructionsDuring(pid, () => send(messages))) / messages)
    }
    return counts
  } finally {
    await stop()
  }
}

function optionsOf({ level, against }: Kind, server: string, redis: TestRedis): LeanOptions {
  const hooks = { plugins: ['bench_hooks'], localPlugins: { bench_hooks: EMPTY_HOOKS } }
  const options: LeanOptions = { ...mailServers(redis), hooks }[server]!
  return {
    ...options,
    ...(against !== undefined && { package: against }),
    settings: PATIENT,
    config: { ...options.config, 'log.ini': formatIni({ main: { level } }) },
    command: UNDER_CALLGRIND,
    preload: holdStill(),
  }
}

/** The least of the batches of each, compared with Haraka alone; that of the other version with this one. */
export function rowsOf(counts: readonly Count[]): Row[] {
  const leastOf = (what: string, level: string): number => {
    const found = counts.find((each) => each.what === what && each.level === level)
    return Math.min(...found!.batches)
  }
  return counts.map(({ what, level, against, batches }): Row => {
    const least = Math.min(...batches)
    const more = 100 * (median(batches) / least - 1)
    const varied = `the median of ${batches.length} batches ${more.toFixed(1)} % more`
    if (against !== undefined) {
      const ratio = leastOf(what, level) / least
      return {
        what: `${what}, against the other version, ${level}`,
        figure: `${ratio.toFixed(3)} ×`,
        detail: `${whole(least)} there; ${varied}`,
        target: atMost(MOST_AGAINST, ratio, ' ×'),
        numbers: { ratio, instructions: least, batches },
      }
    }
    const ratio = least / leastOf(ALONE, level)
    const most = MOST[what]
    return {
      what: `${what}, log level ${level}`,
      figure: whole(least),
      detail: `${what === ALONE ? '' : `${ratio.toFixed(3)} × ${ALONE}; `}${varied}`,
      ...(most !== undefined && { target: atMost(most, ratio, ` × ${ALONE}`) }),
      numbers: { ratio, instructions: least, batches },
    }
  })
}
