import { readEntry, type Entry } from '../records/event-entry'
import { serverTime } from '../store/server-clock'
import type { Store } from '../store/store'

/** The newest entries of the stream, newest first. */
export interface NewestEntries {
  readonly entries: readonly Entry[]
  /** There are older ones. */
  readonly more: boolean
}

/**
 * Reads the end of the stream. XREVRANGE would do it at once, but people who only read may not use it: so this halves the
 * time until what came since then is at most `most` entries, and at least half as many.
 *
 * @throws where Redis gave no answer.
 */
export async function readNewest({ client, keys }: Store, most: number): Promise<NewestEntries> {
  const since = (ms: number): Promise<[string, string[]][]> =>
    client.xrange(keys.events, ms, '+', 'COUNT', most + 1)
  let found = await since(0)
  const more = found.length > most
  if (more) {
    let early = timeOf(found[0]!)
    let late = (await serverTime(client)) + 1
    found = []
    while (late - early > 1 && found.length < most / 2) {
      const middle = Math.floor((early + late) / 2)
      const some = await since(middle)
      if (some.length > most) early = middle
      else [late, found] = [middle, some]
    }
  }
  const entries = found.map(readEntry).filter((entry) => entry !== undefined)
  return { entries: entries.reverse(), more }
}

/** ms of Redis's clock. */
function timeOf([position]: readonly [string, ...unknown[]]): number {
  return Number(position.split('-')[0])
}
