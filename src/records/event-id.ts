import { createHash } from 'node:crypto'

/** The id of an event: the same wherever it is made of the same parts. */
export function eventId(...parts: readonly (string | number)[]): string {
  return `evt_${createHash('sha1').update(parts.join('\t')).digest('hex').slice(0, 20)}`
}

/** The id of the event that another one has ended, as in `records/lua/include/event.lua`: an event ends once. */
export function resolvedId(event: string): string {
  return eventId('resolved', event)
}
