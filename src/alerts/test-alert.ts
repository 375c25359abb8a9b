import { createHash } from 'node:crypto'
import type { Alert } from '../records/event'
import type { Outcome } from './channel'
import type { AlertSettings } from './settings'

/** How long a changed ini file may take to be in effect, in ms: Haraka reads it five seconds after its last change. */
const TAKES_EFFECT = 30_000

/** Tells settings apart without showing them. */
export function settingsMark(settings: AlertSettings): string {
  return createHash('sha256').update(JSON.stringify(settings)).digest('hex').slice(0, 16)
}

/**
 * A test alert is sent with the settings that the person who tests them has read: what a process does with it that has
 * others. `undefined`: deliver it.
 */
export function unlessTested(
  { kind, facts, at }: Alert,
  settings: AlertSettings,
): Outcome | undefined {
  const tested = kind === 'test' ? facts['settings'] : undefined
  if (tested === undefined || tested === settingsMark(settings)) return undefined
  if (Date.now() - Date.parse(at) < TAKES_EFFECT) return { kind: 'waiting', ms: 0 }
  const reason = 'it tests other [alerts] settings than those of this Haraka: compare the ini files'
  return { kind: 'failed', reason }
}
