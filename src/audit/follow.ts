import type { Client, Store } from '../store/store'
import type { AuditEntry } from '../records/audit-entry'

const RETRY_AFTER = 2000

/** An entry as it is published when it is written. */
export type PublishedEntry = Omit<AuditEntry, 'at'>

/**
 * Calls `onEntry` for every entry of the audit trails from now on. An entry written while there is no connection is missed;
 * it is in its trail.
 *
 * @param subscriber a separate connection; it emits `ready` whenever it has to subscribe again.
 */
export function followAudit(
  { keys }: Store,
  subscriber: Client,
  onEntry: (entry: PublishedEntry) => void,
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

/** `undefined`: not an entry. */
function parse(message: string): PublishedEntry | undefined {
  try {
    const published = JSON.parse(message) as Partial<Record<keyof PublishedEntry, unknown>> | null
    const text = (name: keyof PublishedEntry): string => {
      const value = published?.[name]
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
