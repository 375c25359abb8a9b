import type { Client, Store } from '../store/store'
import type { AuditEntry } from '../records/audit-entry'

const RETRY_AFTER = 2000

/** An entry as it is told of, when it is written. */
export type ToldEntry = Omit<AuditEntry, 'at'>

/**
 * Tells of every entry of the audit trails from now on. One that is written while there is no connection is not told of;
 * it is in its trail.
 *
 * @param subscriber a connection of its own, whose `ready` comes whenever it has to subscribe anew.
 */
export function followAudit(
  { keys }: Store,
  subscriber: Client,
  onEntry: (entry: ToldEntry) => void,
  onError: (error: unknown) => void,
): void {
  const subscribe = (): void => {
    subscriber.subscribe(keys.audited).catch((error: unknown) => {
      onError(error)
      setTimeout(() => {
        if (subscriber.status === 'ready') subscribe()
      }, RETRY_AFTER).unref()
    })
  }
  subscriber.on('message', (channel: string, message: string) => {
    if (channel !== keys.audited) return
    const entry = parse(message)
    if (entry) onEntry(entry)
  })
  subscriber.on('ready', subscribe)
  if (subscriber.status === 'ready') subscribe()
}

/** `undefined`: not one of ours. */
function parse(message: string): ToldEntry | undefined {
  try {
    const told = JSON.parse(message) as Partial<Record<keyof ToldEntry, unknown>> | null
    const text = (name: keyof ToldEntry): string => {
      const value = told?.[name]
      return typeof value === 'string' ? value : ''
    }
    if (text('what') === '') return undefined
    return {
      ...{ subject: text('subject'), what: text('what'), from: text('from'), to: text('to') },
      ...{ os: text('os'), redis: text('redis'), note: text('note') },
    }
  } catch {
    return undefined
  }
}
