import { createHash } from 'node:crypto'
import type { Alert } from '../records/event'
import { SKIPPED, type Outcome } from './channel'

/** How long a changed ini file may take to be in effect, in ms: Haraka reads it five seconds after its last change. */
const TAKES_EFFECT = 30_000

/** Tells the settings of channels apart without showing them. */
export function settingsMark(settings: object): string {
  return createHash('sha256').update(JSON.stringify(settings)).digest('hex').slice(0, 16)
}

/**
 * A test alert is sent by the channels that it tests, with the settings that the person who tests them has read: what a
 * process does with it that has others. `undefined`: deliver it.
 *
 * @param mark of the settings of this channel.
 */
export function unlessTested(
  { kind, facts, at }: Alert,
  channel: string,
  mark: string,
): Outcome | undefined {
  if (kind !== 'test') return undefined
  const { channels, settings } = facts as {
    readonly channels?: Readonly<Record<string, string>>
    readonly settings?: string
  }
  // A version without channels of their own names the settings of [alerts] alone.
  const tested = channels ? channels[channel] : settings
  if (channels && tested === undefined) return SKIPPED
  if (tested === undefined || tested === mark) return undefined
  if (Date.now() - Date.parse(at) < TAKES_EFFECT) return { kind: 'waiting', ms: 0 }
  const reason = 'it tests other settings of it than those of this Haraka: compare the ini files'
  return { kind: 'failed', reason }
}
