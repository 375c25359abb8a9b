import { DAY } from '../reporting/calendar'
import { OTHER } from '../reporting/rows'
import { sumBy, type Sum } from '../reporting/sum'
import { clean } from '../base/safe-text'
import type { UnusualSettings } from './settings'
import { SOURCE_DAYS, type History } from './history'
import { describeOnTop, onTop, type OnTop } from './on-top'
import type { Rule } from './rule'
import { BASELINE, lastDay } from './span'
import { recipients } from './words'

const ONE = { ip: 'address', user: 'AUTH user' } as const
const MANY = { ip: 'addresses', user: 'AUTH users' } as const

/** Much unregistered mail from addresses, or AUTH users, that the tenant did not send from before. */
export const newSource: Rule = {
  name: 'new_source',
  needs: () => BASELINE + DAY,
  look(history, settings) {
    const more = isMuchOnTop(history, settings)
    if (!more) return undefined
    const found = [newOnes(history, 'user'), newOnes(history, 'ip')].filter(
      ({ count }) => count >= settings.newSource,
    )
    if (found.length === 0) return undefined
    const known = lastDay(history.now)[0]! - history.knownSince
    const days = Math.min(SOURCE_DAYS, Math.floor(known / DAY))
    return {
      words: `${found.map(describe).join(', and ')}, not seen in the ${days} days before; ${describeOnTop(more)}`,
      facts: Object.assign(
        { total: more.total, before: more.usual },
        ...found.map(({ kind, sums, count }) => ({
          [`new_${kind}`]: sums[0]!.key,
          [`new_${kind}_count`]: sums.length,
          [`new_${kind}_recipients`]: count,
        })),
      ) as Record<string, string | number>,
    }
  },
}

/** The sources of one kind that the tenant did not have before. */
interface NewOnes {
  readonly kind: 'ip' | 'user'
  /** The one with the most recipients first. */
  readonly sums: readonly Sum<string>[]
  /** Recipients of all of them. */
  readonly count: number
}

/** Whether the tenant sends much more than usual, so that the rule needs its earlier sources. */
export function isMuchOnTop(
  history: Pick<History, 'now' | 'hours' | 'knownSince'>,
  settings: UnusualSettings,
): OnTop | undefined {
  const from = lastDay(history.now)[0]!
  if (settings.newSource === 0 || history.knownSince > from - BASELINE) return undefined
  return onTop(history, from, settings.newSource)
}

function newOnes({ now, rows, dayRows }: History, kind: 'ip' | 'user'): NewOnes {
  const from = lastDay(now)[0]!
  const known = new Set(
    dayRows
      .filter(({ counts }) => counts.accepted > 0 && counts.firstSeen < from)
      .map((row) => row[kind]),
  )
  const sums = sumBy(rows, kind)
    // (other) may include earlier sources.
    .filter(({ key, counts }) => key !== '' && key !== OTHER && counts.accepted > 0)
    .filter(({ key }) => !known.has(key))
    .sort((a, b) => b.counts.accepted - a.counts.accepted)
  return { kind, sums, count: sums.reduce((sum, { counts }) => sum + counts.accepted, 0) }
}

function describe({ kind, sums, count }: NewOnes): string {
  const { key } = sums[0]!
  const from =
    sums.length === 1
      ? `${ONE[kind]} ${clean(key)}`
      : `${sums.length} ${MANY[kind]} such as ${clean(key)}`
  return `${recipients(count)} of unregistered mail in 24 hours from ${from}`
}
