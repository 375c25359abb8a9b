import { startWindowsAfresh } from '../allowance/fresh-windows'
import type { Act } from '../allowance/restriction'
import { InputError } from '../base/errors'
import { mapLimited } from '../base/limiter'
import {
  LONGEST_PAUSE,
  pauseEnforcement,
  pauseInEffect,
  readPause,
  resumeEnforcement,
  type PauseChange,
} from '../enforcement/pause'
import { parseDuration } from '../mail/limits'
import { confirmed, type Confirmation } from '../nodes/confirm'
import { PAUSE } from '../nodes/question'
import type { Store } from '../store/store'

/** Tenants whose windows are started afresh at the same time. */
const AT_ONCE = 32

/** How long a pause is if nothing else is said. */
export const USUAL_PAUSE = '2h'

/** A pause as a person orders it. */
export interface PauseOrder extends Act {
  /** Such as `30m`. */
  readonly span: string
  /** It also lets pass what persons have restricted or blocked, and what is held. */
  readonly everything: boolean
}

/**
 * Stops all refusals on all hosts for some time, and asks all processes whether that is in force.
 *
 * @throws {InputError} the span is no duration, or too long.
 */
export async function pause(
  store: Store,
  { span, everything, by, reason }: PauseOrder,
): Promise<{ readonly change: PauseChange; readonly confirmation: Confirmation }> {
  const duration = acceptedSpan(span)
  const words = `for ${span.trim()}${everything ? ', everything' : ''}, by ${by}: ${reason}`
  const { result, confirmation } = await confirmed(store, [PAUSE], () =>
    pauseEnforcement(store, { by, reason, duration, everything, words }),
  )
  return { change: result, confirmation }
}

/**
 * Checks the span of a pause.
 *
 * @returns ms
 * @throws {InputError}
 */
export function acceptedSpan(text: string): number {
  const duration = parseDuration('--for', text)
  if (duration <= LONGEST_PAUSE) return duration
  throw new InputError(`--for "${text}" is longer than 7d: pause again before it ends`)
}

/** The end of a pause. */
export interface Resumed {
  /** The pause that was ended; `undefined`: there was none. All processes are told all the same. */
  readonly ended: PauseChange | undefined
  readonly change: PauseChange
  /** Ids of the tenants whose windows were started afresh. */
  readonly fresh: readonly string[]
  readonly confirmation: Confirmation
}

/**
 * Ends the pause on all hosts, and asks all processes whether that is in force.
 *
 * @param afresh ids of tenants whose windows start afresh before: see `tenantsAtLimit`.
 */
export async function resume(
  store: Store,
  { afresh, ...act }: Act & { readonly afresh: readonly string[] },
): Promise<Resumed> {
  const ended = pauseInEffect(await readPause(store))
  const started = await mapLimited(afresh, AT_ONCE, (id) => startWindowsAfresh(store, id, act))
  const { result, confirmation } = await confirmed(store, [PAUSE], () =>
    resumeEnforcement(store, act),
  )
  return { ended, change: result, fresh: afresh.filter((_, at) => started[at]), confirmation }
}
