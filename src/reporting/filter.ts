import { connectorName } from '../mail/identities'
import { parseCondition, type Condition } from '../base/condition'
import { InputError } from '../base/errors'
import { toDomain } from '../names/domain'
import { sourceOf } from '../base/ip-prefix'
import { SOURCE_CLASSES, type SourceClass } from '../mail/classes'
import type { Source } from './rows'

/** What a filter can compare. */
type Key = keyof Source | 'class'

const KEYS: readonly Key[] = ['domain', 'connector', 'ip', 'user', 'class']

/** A condition on rows. */
export type Filter = Condition<Key>

/**
 * Reads `domain=lure.example`, or `domain^=lure` for a prefix. An empty value selects rows without one.
 *
 * @throws {InputError}
 */
export function parseFilter(text: string): Filter {
  const { key, value, start } = parseCondition(text, KEYS)
  if (key === 'class') return classFilter(value)
  return { key, start, value: start ? startSpelled(key, value) : spelled(key, value) }
}

/**
 * Selects one class.
 *
 * @throws {InputError}
 */
export function classFilter(text: string): Filter {
  if (SOURCE_CLASSES.some((each) => each === text)) {
    return { key: 'class', value: text, start: false }
  }
  throw new InputError(
    `"${text}" is not a class with rows by sender: use one of ${SOURCE_CLASSES.join(', ')}`,
  )
}

/** Whether a source passes all filters. A connector matches with or without its tenant. */
export function passes(
  source: Source & { readonly class: SourceClass },
  filters: readonly Filter[],
): boolean {
  return filters.every(({ key, value, start }) =>
    spellings(key, source[key]).some((own) => (start ? own.startsWith(value) : own === value)),
  )
}

/** A prefix length that covers exactly one source. */
const WHOLE_SOURCE = /(?<=\.\d+)\/32$|(?<=:[^.]*)\/(?:64|128)$/

/** The spelling that reports use. */
function spelled(key: Key, value: string): string {
  if (key === 'domain') return toDomain(value) ?? value.toLowerCase()
  if (key === 'ip') return sourceOf(value.replace(WHOLE_SOURCE, '')).toLowerCase()
  return value.toLowerCase()
}

function spellings(key: Key, value: string): string[] {
  const own = value.toLowerCase()
  return key === 'connector' ? [own, connectorName(own)] : [own]
}

/** The same for a prefix: reports write no leading zeros, and IPv4-mapped IPv6 as IPv4. */
function startSpelled(key: Key, value: string): string {
  const lower = value.toLowerCase()
  if (key !== 'ip') return lower
  return lower.replace(/^::ffff:(?=\d+\.)/, '').replace(/(?<=^|:)0+(?=[\da-f])/g, '')
}
