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
import { asRatio, atMost, skipped, whole, type Row, type Section } from './row'
import { startServers, type LeanOptions } from './servers'
import { median } from './stats'

/** The kinds of mail, each in its own process. The first one is the base of the ratios. */
const COUNTED: readonly Subject[] = [aloneOf(SUBJECTS.registered), ...Object.values(SUBJECTS)]

const { what: ALONE } = COUNTED[0]!
const { what: CHARGED } = SUBJECTS.unregistered
const { what: LIMIT } = SUBJECTS.limit

/** Targets, Haraka alone = 1. */
const MOST: Readonly<Record<string, number>> = { registered: 1.04, [CHARGED]: 1.18 }
/** The target for counted mail, haraka-plugin-limit = 1. */
const MOST_LIMIT = 1.1
/** The target for this version, the other one = 1: two counts of one version differ by as much. */
const MOST_AGAINST = 1.005

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
  return COUNTED.flatMap(({ what, server }) => [
    { what, level },
    ...(server === 'ours' && against !== undefined ? [{ what, level, against }] : []),
  ])
}

async function count(kind: Kind, { batches, messages, warmUp }: typeof FULL): Promise<number[]> {
  const { server, ip, mail } = COUNTED.find(({ what }) => what === kind.what)!
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
  const options: LeanOptions = mailServers(redis)[server]!
  return {
    ...options,
    ...(against !== undefined && { package: against }),
    settings: PATIENT,
    config: { ...options.config, 'log.ini': formatIni({ main: { level } }) },
    command: UNDER_CALLGRIND,
    preload: holdStill(),
  }
}

/**
 * The least of the batches of each, Haraka alone = 1; counted mail, haraka-plugin-limit = 1; and this version, the
 * other one = 1.
 */
export function rowsOf(counts: readonly Count[]): Row[] {
  const leastOf = (what: string, level: string, before = false): number => {
    const found = counts.find(
      (each) =>
        each.what === what && each.level === level && (each.against !== undefined) === before,
    )
    return found ? Math.min(...found.batches) : NaN
  }
  const here = counts.filter(({ against }) => against === undefined)
  const compared = (what: string, base: string, level: string) => {
    const ofBase = leastOf(base, level)
    const before = leastOf(what, level, true) / ofBase
    const ratio = leastOf(what, level) / ofBase
    return {
      ratio,
      row: { figure: asRatio(ratio), ...(before > 0 && { before: asRatio(before) }) },
    }
  }
  const toAlone = here.map(({ what, level, batches }): Row => {
    const instructions = Math.min(...batches)
    const { ratio, row } = compared(what, ALONE, level)
    const most = MOST[what]
    return {
      what: `${what}, log level ${level}`,
      ...(what === ALONE ? { figure: whole(instructions) } : row),
      detail: [...(what === ALONE ? [] : [whole(instructions)]), spreadOf(batches)].join('; '),
      ...(most !== undefined && { target: atMost(most, ratio, ' ×') }),
      context: COUNTED.find((each) => each.what === what)?.context,
      numbers: { ratio, instructions, batches },
    }
  })
  const toLimit = here
    .filter(({ what, level }) => what === CHARGED && leastOf(LIMIT, level) > 0)
    .map(({ what, level }): Row => {
      const { ratio, row } = compared(what, LIMIT, level)
      const target = atMost(MOST_LIMIT, ratio, ' ×')
      return { what: `${what}, against ${LIMIT}, ${level}`, ...row, target, numbers: { ratio } }
    })
  const toBefore = counts
    .filter(({ against }) => against !== undefined)
    .map(({ what, level, batches }): Row => {
      const instructions = Math.min(...batches)
      const ratio = leastOf(what, level) / instructions
      return {
        what: `${what}, against the other version, ${level}`,
        figure: asRatio(ratio),
        detail: `${whole(instructions)} there; ${spreadOf(batches)}`,
        target: atMost(MOST_AGAINST, ratio, ' ×'),
        numbers: { ratio, instructions, batches },
      }
    })
  return [...toAlone, ...toLimit, ...toBefore]
}

function spreadOf(batches: readonly number[]): string {
  const more = 100 * (median(batches) / Math.min(...batches) - 1)
  return `the median of ${batches.length} batches ${more.toFixed(1)} % more`
}
