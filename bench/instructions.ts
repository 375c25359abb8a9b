import os from 'node:os'
import { formatIni } from '../scripts/services/ini'
import type { TestRedis } from '../scripts/services/redis'
import {
  CALLGRIND,
  instructionsDuring,
  holdStill,
  startCounting,
  UNDER_CALLGRIND,
} from './callgrind'
import type { InstructionsEffort } from './effort'
import { keepInFlight } from './in-flight'
import type { LeanOptions } from './lean-haraka'
import { SUBJECTS } from './mail'
import { sendMessages } from './mail-load'
import { mailServers, registerTenants, type ServerName } from './mail-servers'
import { aloneOf, type Subject } from './paired'
import { notInstalled } from './peer-server'
import { atMost, skipped, type Row, type Section } from './row'
import { startSideBySide } from './side-by-side'
import { median } from './stats'

/** Of the hooks that the plugin has for a registered message. */
const EMPTY_HOOKS = {
  name: 'bench_empty_hooks',
  text: `exports.register = function () {
  this.timeout = 0
  for (const hook of ['mail', 'rcpt_ok', 'data_post', 'reset_transaction']) this.register_hook(hook, 'empty')
}
exports.empty = (next) => next()
`,
}

const { registered, unregistered, refused, limit } = SUBJECTS

/** A Haraka that has just started is so slow under callgrind that it would not wait for Redis as long as it takes. */
const PATIENT = { redis: { command_timeout: 60_000 } }

/** What all else compares with. */
const ALONE = 'Haraka alone'

/** What is counted, each in a process of its own. */
const COUNTED: Readonly<Record<string, Subject<ServerName | 'hooks'>>> = {
  [ALONE]: aloneOf(registered),
  'four empty hooks': { ...registered, server: 'hooks' },
  registered,
  'unregistered, charged': unregistered,
  'refused at MAIL': refused,
  'haraka-plugin-limit': limit,
}

/** A kind of mail through one process. */
interface Run {
  readonly what: string
  /** Log level of Haraka. */
  readonly level: string
  /** Folder of the other version of the plugin, where it is that one's. */
  readonly against?: string
}

/** Instructions a message. */
export interface Count extends Run {
  /** Of each batch. */
  readonly batches: readonly number[]
}

/** Two counts of the same version may differ by as much. */
const NO_DEARER = 1.005

/** Instructions of Haraka a message, with and without plugins. */
export const instructions: Section = {
  name: 'instructions',
  title: 'Instructions of Haraka a message',
  meaning:
    'Counted by callgrind, without those of the kernel, for the mail of the first section. Each kind of mail has a Haraka ' +
    'of its own, which is warmed up with it; then V8 compiles no more, and the figure is the least of several batches. ' +
    'Figures of two runs differ by up to 2 %, what --against says of two versions, counted at the same time, by up to ' +
    '0.6 %; time differs by 3 to 6 % between two equal processes.',
  async run({ instructions: effort }, progress, against) {
    if (!CALLGRIND) return { rows: [skipped('instructions a message', notInstalled('valgrind'))] }
    const runs = effort.levels.flatMap((level) => runsAt(level, against))
    const counts: Count[] = []
    await keepInFlight(runs.length, os.availableParallelism(), async (number) => {
      const run = runs[number]!
      progress.say(`${run.what}, log level ${run.level}`)
      counts[number] = { ...run, batches: await count(run, effort) }
    })
    return { rows: rowsOf(counts) }
  },
}

/** Ours is followed by that of the other version. */
function runsAt(level: string, against: string | undefined): Run[] {
  return Object.entries(COUNTED).flatMap(([what, { server }]) => [
    { what, level },
    ...(server === 'ours' && against !== undefined ? [{ what, level, against }] : []),
  ])
}

async function count(
  run: Run,
  { batches, messages, warmUp }: InstructionsEffort,
): Promise<readonly number[]> {
  const { server, ip, mail } = COUNTED[run.what]!
  const { servers, stop } = await startSideBySide(registerTenants, (redis) => ({
    counted: optionsOf(run, server, redis),
  }))
  const { port, pid } = servers.counted
  const send = (messages: number): Promise<void> => sendMessages({ ip, mail, port, messages })
  try {
    // Alone, for what the process has to load then.
    await send(1)
    for (let batch = 0; batch < warmUp; batch++) await send(messages)
    startCounting(servers.counted)
    const counts: number[] = []
    while (counts.length < batches) {
      counts.push((await instructionsDuring(pid, () => send(messages))) / messages)
    }
    return counts
  } finally {
    await stop()
  }
}

function optionsOf(
  { level, against }: Run,
  server: ServerName | 'hooks',
  redis: TestRedis,
): LeanOptions {
  const hooks = {
    plugins: [EMPTY_HOOKS.name],
    localPlugins: { [EMPTY_HOOKS.name]: EMPTY_HOOKS.text },
  }
  const options: LeanOptions = { ...mailServers(redis), hooks }[server]
  return {
    ...options,
    ...(against !== undefined && { package: against }),
    settings: PATIENT,
    config: { ...options.config, 'log.ini': formatIni({ main: { level } }) },
    command: UNDER_CALLGRIND,
    preload: holdStill(),
  }
}

/** The least of the batches of each, next to Haraka alone; that of the other version next to ours. */
export function rowsOf(counts: readonly Count[]): Row[] {
  const leastOf = (what: string, level: string): number => {
    const count = counts.find((each) => each.what === what && each.level === level)!
    return Math.min(...count.batches)
  }
  return counts.map(({ what, level, against, batches }): Row => {
    const least = Math.min(...batches)
    if (against !== undefined) {
      const ratio = leastOf(what, level) / least
      return {
        what: `${what}, against the other version, ${level}`,
        figure: `${ratio.toFixed(3)} ×`,
        detail: `${format(least)} there; ${spreadOf(batches)}`,
        target: atMost(NO_DEARER, ratio, ' ×'),
        numbers: { ratio, instructions: least, batches },
      }
    }
    const ratio = least / leastOf(ALONE, level)
    return {
      what: `${what}, log level ${level}`,
      figure: format(least),
      detail: `${what === ALONE ? '' : `${ratio.toFixed(3)} × ${ALONE}; `}${spreadOf(batches)}`,
      numbers: { ratio, instructions: least, batches },
    }
  })
}

function spreadOf(batches: readonly number[]): string {
  const more = median(batches) / Math.min(...batches) - 1
  return `the median of ${batches.length} batches ${(100 * more).toFixed(1)} % more`
}

function format(count: number): string {
  return Math.round(count).toLocaleString('en-US')
}
