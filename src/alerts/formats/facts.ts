import { isoTime } from '../../base/time'
import { formatWindow } from '../../mail/limits'
import type { Alert } from '../../records/event'

/** The name and the value of each fact of an alert. */
export type Facts = readonly (readonly [string, string])[]

/** All of an alert but its title and what to do next, as people read it. */
export function factsOf(alert: Alert): Facts {
  const { kind, severity, tenant, at, count, facts, id } = alert
  const unit = kind === 'many_restricted' ? 'tenants' : 'events'
  return [
    ['severity', severity],
    ...(tenant === '' ? [] : ([['tenant', tenant]] as const)),
    ['time', at],
    ...(count > 1 ? ([[unit, String(count)]] as const) : []),
    ...factLines(facts),
    ['event', id],
  ]
}

/** Follows the title of an alert of several events; else empty. */
export function countOf({ kind, count }: Alert): string {
  return count > 1 ? ` (${count} ${kind === 'many_restricted' ? 'so far' : 'times'})` : ''
}

/** One line for each fact; a nested fact is named after both. */
function factLines(facts: object, above = ''): [string, string][] {
  return Object.entries(facts).flatMap(([name, value]: [string, unknown]): [string, string][] => {
    const full = above + name
    if (Array.isArray(value)) {
      const each = value.map((item: unknown) =>
        isFacts(item)
          ? Object.entries(item).map(([key, text]) => `${key} ${formatFact(key, text)}`)
          : [formatFact(name, item)],
      )
      return each.map((parts) => [full, parts.join(', ')])
    }
    return isFacts(value) ? factLines(value, `${full} `) : [[full, formatFact(name, value)]]
  })
}

function isFacts(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}

const TIMES: ReadonlySet<string> = new Set(['since', 'until', 'from', 'to'])

/** Writes windows and times as people do. */
function formatFact(name: string, value: unknown): string {
  if (typeof value === 'number' && name === 'window') return formatWindow(value)
  if (typeof value === 'number' && TIMES.has(name)) return isoTime(value)
  return typeof value === 'string' ? value : JSON.stringify(value)
}
