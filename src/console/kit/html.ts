import { html as template, raw } from 'hono/html'
import { clean } from '../../base/safe-text'

/** HTML whose values were escaped. */
export type Html = ReturnType<typeof template>

/** HTML as it is: for files of this package, never for what comes from a request or from Redis. */
export { raw }

/**
 * The only way to HTML. Each value that is not HTML itself is text: it is escaped, and control characters and those that
 * reorder what is read are removed, since senders of mail choose much of what is shown.
 */
export function html(strings: TemplateStringsArray, ...values: readonly unknown[]): Html {
  return template(strings, ...values.map(safe))
}

export const NOTHING: Html = html``

function safe(value: unknown): unknown {
  if (typeof value === 'string') return clean(value)
  return Array.isArray(value) ? value.map(safe) : value
}
