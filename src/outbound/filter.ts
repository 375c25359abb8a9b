import { connectorName } from '../mail/identities'
import { parseCondition, type Condition } from '../base/condition'
import { InputError } from '../base/errors'
import { CLASSES } from '../mail/classes'
import { toDomain } from '../names/domain'
import type { QueuedMail } from './tenant-queue'

/** What a filter can compare. */
const KEYS = ['domain', 'connector', 'sender', 'class', 'file'] as const

/** A condition on mail in the queue. */
export type QueueFilter = Condition<(typeof KEYS)[number]>

/**
 * Reads `domain=bank.example`, or `domain^=bank` for a prefix. `domain` and `sender` are those of the envelope; an empty
 * value selects mail without one.
 *
 * @throws {InputError}
 */
export function parseQueueFilter(text: string): QueueFilter {
  const filter = parseCondition(text, KEYS)
  const { key, value, start } = filter
  if (key === 'class' && !start && !Object.hasOwn(CLASSES, value)) {
    throw new InputError(`"${value}" is not a class: use one of ${Object.keys(CLASSES).join(', ')}`)
  }
  if (key === 'file') return filter
  const lower = value.toLowerCase()
  return { ...filter, value: key === 'domain' && !start ? (toDomain(value) ?? lower) : lower }
}

/** The same as a person types it. */
export function queueFilterText({ key, value, start }: QueueFilter): string {
  return `${key}${start ? '^' : ''}=${value}`
}

/** Whether a message passes all filters. A connector matches with or without its tenant. */
export function passesFilters(mail: QueuedMail, filters: readonly QueueFilter[]): boolean {
  return filters.every(({ key, value, start }) =>
    valuesOf(mail, key).some((own) => (start ? own.startsWith(value) : own === value)),
  )
}

function valuesOf(mail: QueuedMail, key: QueueFilter['key']): readonly string[] {
  switch (key) {
    case 'file':
      return [mail.file]
    case 'class':
      return [mail.class]
    case 'sender':
      return [mail.sender.toLowerCase()]
    case 'domain':
      return [domainOf(mail.sender)]
    case 'connector': {
      const own = mail.connector ?? ''
      return [own, connectorName(own)]
    }
  }
}

function domainOf(sender: string): string {
  const domain = sender.slice(sender.lastIndexOf('@') + 1)
  return toDomain(domain) ?? domain.toLowerCase()
}
