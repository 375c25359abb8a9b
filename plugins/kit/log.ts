import { clean } from '../../src/base/safe-text'
import type { LogData, Plugin } from './haraka'

const METHODS = ['loginfo', 'lognotice', 'logwarn', 'logerror', 'logcrit'] as const

/**
 * Makes whatever this plugin logs one line that nothing from outside can break or reorder. Haraka escapes line breaks
 * since 3.3.3, in JSON always, and never ESC, the C1 set or bidi controls (logger.js). Quotes, blanks and `=` it
 * escapes well, in every version and format, so that no value can pass as another key.
 *
 * Here and not where the texts come from: what Redis holds, a note of another plugin, or a message of an error may
 * come from anybody.
 */
export function logSafely(plugin: Plugin): void {
  for (const method of METHODS) {
    const log = plugin[method]
    plugin[method] = (...data) => log.apply(plugin, data.map(safe))
  }
}

function safe(data: LogData): LogData {
  if (typeof data === 'string') return clean(data)
  return data.constructor === Object ? cleanValues(data as Record<string, unknown>) : data
}

/** In a copy only where it must be. */
function cleanValues(values: Record<string, unknown>): Record<string, unknown> {
  let safe = values
  for (const key in values) {
    const value = values[key]
    if (typeof value !== 'string') continue
    const text = clean(value)
    if (text === value) continue
    if (safe === values) safe = { ...values }
    safe[key] = text
  }
  return safe
}
