import { clean } from '../../src/base/safe-text'
import type { HarakaLogger, LogData, Plugin } from './haraka'

const METHODS = ['loginfo', 'lognotice', 'logwarn', 'logerror', 'logcrit'] as const

const NEEDS_QUOTES = /^$|[ ="\\]/
const ESCAPED = /["\\]/g

/** In ms. */
const MINUTE = 60_000
/** Kinds that a {@link LogOnce} counts separately by default. */
const MOST_KINDS = 100
const OTHERS = ''

/**
 * Makes each line that this plugin logs safe: one line, without characters that break or reorder it. Haraka escapes line
 * breaks since 3.3.3 (in JSON always), but never ESC, the C1 set or bidi controls (logger.js). It escapes quotes, blanks
 * and `=` in every version and format, so that no value can pass as another key.
 *
 * The texts are cleaned here and not where they come from: content of Redis, notes of other plugins and error messages
 * may all be chosen by an attacker.
 */
export function logSafely(plugin: Plugin): void {
  for (const method of METHODS) {
    const log = plugin[method]
    plugin[method] = (...data) => log.apply(plugin, data.map(safe))
  }
}

/** How Haraka logs lines of level info now: level and format may change at any reload of log.ini. */
export class InfoLevel {
  private known: HarakaLogger | undefined

  constructor(private readonly plugin: Plugin) {}

  /** Asked before a line is built for every recipient. */
  get isLogged(): boolean {
    const { logger } = this
    return logger.would_log(logger.LOGINFO)
  }

  /** Whether values become text behind the message, as {@link asText} writes them; in other formats they are fields. */
  get isText(): boolean {
    const { format, formats } = this.logger
    return format === formats.DEFAULT
  }

  private get logger(): HarakaLogger {
    return (this.known ??= this.plugin.haraka_require('logger') as HarakaLogger)
  }
}

/** A clean value as Haraka writes it in its default format (logger.js, stringify); empty where it is not known. */
export function asText(name: string, value: string | undefined): string {
  if (value === undefined) return ''
  return ` ${name}=${NEEDS_QUOTES.test(value) ? `"${value.replace(ESCAPED, '\\$&')}"` : value}`
}

function safe(data: LogData): LogData {
  if (typeof data === 'string') return clean(data)
  return data.constructor === Object ? cleanValues(data as Record<string, unknown>) : data
}

/** Copies the values only where one of them changes. */
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

/**
 * Logs the first thing of a kind, then once a minute how many more of the kind came, until a minute passes without any.
 * So neither an outage nor a spammer can flood the log.
 */
export class LogOnce<Thing = string> {
  private readonly counts = new Map<string, number>()

  /**
   * @param log gets the first thing of a kind, then how many more came in the last minute; 0 for the first.
   * @param most this many kinds are counted separately, all others as one, whose kind is empty.
   */
  constructor(
    private readonly log: (thing: Thing, repeats: number, kind: string) => void,
    private readonly most = MOST_KINDS,
  ) {}

  /** @returns whether the thing was logged; else it was counted. */
  say(kind: string, thing: Thing): boolean {
    const count = this.counts.get(kind)
    if (count !== undefined) {
      this.counts.set(kind, count + 1)
      return false
    }
    if (this.counts.size >= this.most && kind !== OTHERS) return this.say(OTHERS, thing)
    this.countFor(kind, thing)
    this.log(thing, 0, kind)
    return true
  }

  private countFor(kind: string, thing: Thing): void {
    this.counts.set(kind, 0)
    setTimeout(() => {
      const repeats = this.counts.get(kind)!
      if (repeats === 0) {
        this.counts.delete(kind)
        return
      }
      this.countFor(kind, thing)
      this.log(thing, repeats, kind)
    }, MINUTE).unref()
  }
}

/** A {@link LogOnce} of texts. */
export function logTextOnce(log: (line: string) => void): LogOnce {
  return new LogOnce((text, repeats) =>
    log(repeats === 0 ? text : `${text} (${repeats} more in the last minute)`),
  )
}
