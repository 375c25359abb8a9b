import type { Duty } from '../base/duty'
import { readPause, type PauseChange, type PauseRead } from '../enforcement/pause'
import type { Forwarder } from '../events/forwarder'
import type { PausedEvent, ResolvedEvent } from '../records/event'
import { eventId, resolvedId } from '../records/event-id'
import type { Mark } from '../records/token'
import type { Store } from '../store/store'

const HOUR = 3_600_000
/** Before its end a pause is told of once more, in ms. */
const SOON = 900_000
/** The end of a pause is told this long afterwards at most, in ms. */
const LATE = 86_400_000

/** Tells people of a pause of enforcement: when it begins or is changed, every hour, before its end, and that it is over. */
export function tellPause(store: Store, forwarder: Pick<Forwarder, 'publish'>): Duty {
  const told = new Set<string>()
  return {
    name: 'the pause of enforcement',
    every: 5000,
    run: async () => {
      for (const event of dueOf(await readPause(store))) {
        if (told.has(event.id)) continue
        await forwarder.publish('', event)
        told.add(event.id)
      }
    },
  }
}

/** What has happened by now. Each has the same id in every process, and is told once. */
export function dueOf({
  now,
  change,
}: Omit<PauseRead, 'denied'>): readonly (PausedEvent | ResolvedEvent)[] {
  if (!change) return []
  const { state, at, until } = change
  if (state === 'resumed') return overAt(change, at, now)
  const begun = pausedEvent(change, 'begun', at, 0)
  if (until <= now) return [begun, ...overAt(change, until, now)]
  const hours = Math.floor((now - at) / HOUR)
  const endsSoon = until - now <= SOON && until - at > SOON
  return [
    begun,
    ...(hours > 0 ? [pausedEvent(change, 'goes on', at + hours * HOUR, hours)] : []),
    ...(endsSoon ? [pausedEvent(change, 'ends soon', until - SOON, until)] : []),
  ]
}

function pausedEvent(
  { mark, first, by, reason, until, everything }: PauseChange,
  occasion: PausedEvent['occasion'],
  at: number,
  number: number,
): PausedEvent {
  const since = Math.floor(first / 1000)
  const id = eventId('paused', mark, occasion, number)
  const begun = idOfBeginning(first)
  const continues = id === begun ? {} : { continues: begun }
  return { kind: 'paused', id, at, occasion, by, reason, since, until, everything, ...continues }
}

function idOfBeginning(first: Mark): string {
  return eventId('paused', first, 'begun', 0)
}

function overAt(change: PauseChange, at: number, now: number): readonly ResolvedEvent[] {
  const { state, first, by, reason } = change
  if (first === 0 || now > at + LATE) return []
  const resolves = idOfBeginning(first)
  const who = state === 'resumed' ? { by, why: reason } : {}
  return [{ kind: 'resolved', id: resolvedId(resolves), at, resolves, of: 'paused', ...who }]
}
