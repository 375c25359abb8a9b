import type { Alert } from './event'

/** An entry of the stream of events. */
export interface Entry {
  /** Its place in the stream. */
  readonly position: string
  /** It joined an alert that another event had begun, and is not delivered by itself. */
  readonly joined: boolean
  readonly alert: Alert
}

/** Reads an entry as Redis gives it; `undefined`: it is not an event of this plugin. */
export function readEntry([position, fields]: readonly [string, readonly string[]]):
  Entry | undefined {
  const { joined, alert } = readFields(fields)
  return alert && { position, joined, alert }
}

/** Reads the fields of an entry; the alert is `undefined` where it cannot be read. */
export function readFields(fields: readonly string[]): {
  joined: boolean
  alert: Alert | undefined
} {
  return { joined: fieldOf(fields, 'joined') === '1', alert: readAlert(fieldOf(fields, 'json')) }
}

/** The value of a field of an entry, whose names and values come in turn. */
export function fieldOf(fields: readonly string[], name: string): string | undefined {
  const at = fields.findIndex((field, index) => index % 2 === 0 && field === name)
  return at === -1 ? undefined : fields[at + 1]
}

/** The id of an event. Without a dot, which separates the parts of what a webhook signs. */
const ID = /^[\w-]{1,100}$/

function readAlert(json = ''): Alert | undefined {
  try {
    const alert = JSON.parse(json) as Partial<Alert> | null
    const texts = [alert?.kind, alert?.severity, alert?.title, alert?.tenant]
    const ids = [alert?.id, alert?.alert, ...(alert?.resolves ? [alert.resolves] : [])]
    const fit =
      ids.every((id) => typeof id === 'string' && ID.test(id)) &&
      texts.every((text) => typeof text === 'string') &&
      !Number.isNaN(Date.parse(String(alert?.at))) &&
      typeof alert?.facts === 'object' &&
      alert.facts !== null &&
      Array.isArray(alert.next)
    return fit ? (alert as Alert) : undefined
  } catch {
    return undefined
  }
}
