import { isNotAllowed } from '../store/failure'
import { readScript } from '../store/script'
import type { Store } from '../store/store'
import type { Mark } from '../records/token'

const PAUSE = readScript(__dirname, 'pause')
const READ = readScript(__dirname, 'read_pause')
const PUT_BACK = readScript(__dirname, 'put_pause_back')

/** The longest pause, in ms. */
export const LONGEST_PAUSE = 7 * 86_400_000

/** The last change of the pause: enforcement was paused, or resumed. It is kept, so that a later one is known as such. */
export interface PauseChange {
  readonly state: 'paused' | 'resumed'
  readonly mark: Mark
  /** The change that began this pause, or the one that was resumed; 0: there was none to resume. */
  readonly first: Mark
  /** ms since the epoch, server time, as `until`. */
  readonly at: number
  readonly by: string
  readonly reason: string
  /** When the pause ends by itself. */
  readonly until: number
  /** It also lets pass what persons have restricted or blocked, and what is held. */
  readonly everything: boolean
}

/** What Redis says of the pause. */
export interface PauseRead {
  /** ms since the epoch, server time. */
  readonly now: number
  /** `undefined`: enforcement was never paused. */
  readonly change: PauseChange | undefined
  /** The ACL of Redis forbids to read it: it is older than this version. */
  readonly denied: boolean
}

/** Reads it; also with an ACL that forbids that. @throws where Redis gave no answer. */
export async function readPause(store: Store): Promise<PauseRead> {
  try {
    const reply = await store.run(READ, [store.keys.pause], [])
    return { ...toRead(reply as Reply), denied: false }
  } catch (error) {
    if (isNotAllowed(error)) return { now: 0, change: undefined, denied: true }
    throw error
  }
}

/** The pause in effect; `undefined`: there is none. */
export function pauseInEffect({ now, change }: Omit<PauseRead, 'denied'>): PauseChange | undefined {
  return change?.state === 'paused' && change.until > now ? change : undefined
}

/** What a person orders, and why. */
interface Order {
  readonly by: string
  readonly reason: string
}

/** Pauses enforcement on all hosts, or goes on with a pause. @param duration in ms. @throws what ioredis throws. */
export function pauseEnforcement(
  store: Store,
  {
    duration,
    everything,
    words,
    ...order
  }: Order & {
    readonly duration: number
    readonly everything: boolean
    /** For the audit trail. */
    readonly words: string
  },
): Promise<PauseChange> {
  return change(store, 'paused', order, words, [duration, everything ? '1' : ''])
}

/** Ends the pause on all hosts. @throws what ioredis throws. */
export function resumeEnforcement(store: Store, order: Order): Promise<PauseChange> {
  return change(store, 'resumed', order, order.reason, [])
}

async function change(
  store: Store,
  state: PauseChange['state'],
  { by, reason }: Order,
  words: string,
  more: readonly (string | number)[],
): Promise<PauseChange> {
  const { keys, actor } = store
  const reply = await store.run(
    PAUSE,
    [keys.pause, keys.nodesAudit],
    [state, by, reason, actor, words, ...more],
  )
  return toRead(reply as Reply).change!
}

/** Puts a change back that Redis has lost; once, however many processes call it. @throws what ioredis throws. */
export async function putPauseBack(store: Store, lost: PauseChange): Promise<void> {
  const { keys, actor } = store
  const { everything, ...fields } = lost
  await store.run(
    PUT_BACK,
    [keys.pause, keys.nodesAudit],
    [
      ...[lost.mark, lost.state, actor],
      ...Object.entries({ ...fields, everything: everything ? '1' : '' }).flat(),
    ],
  )
}

/** Server time in ms, then fields and values in turn. */
type Reply = readonly [number, ...string[]]

function toRead([now, ...list]: Reply): Pick<PauseRead, 'now' | 'change'> {
  const fields: Record<string, string> = {}
  for (let at = 0; at + 1 < list.length; at += 2) fields[list[at]!] = list[at + 1]!
  return { now, change: toChange(fields) }
}

/** Reads fields as Redis or the snapshot file hold them; `undefined`: there is no change. */
export function toChange(fields: Readonly<Record<string, unknown>>): PauseChange | undefined {
  const { state, mark, first, at, by, reason, until, everything } = fields
  if ((state !== 'paused' && state !== 'resumed') || !(Number(mark) > 0)) return undefined
  return {
    ...{ state, mark: Number(mark), first: Number(first), at: Number(at) },
    ...{ by: String(by), reason: String(reason), until: Number(until) },
    everything: everything === '1' || everything === true,
  }
}
