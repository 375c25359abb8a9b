import type { Store } from '../store/store'

/** How many entries are looked at that no process has taken yet. */
const MOST_UNREAD = 100

/** What waits to be delivered by a channel. */
export interface Backlog {
  readonly channel: string
  readonly waiting: number
  /** There are more that were not looked at. */
  readonly more: boolean
  /** When the oldest of them was published, in ms; `undefined`: there is none. */
  readonly since: number | undefined
}

/** Of each channel that has ever delivered; it only reads. */
export async function readBacklogs({ client, keys }: Store): Promise<Backlog[]> {
  if ((await client.exists(keys.events)) === 0) return []
  const groups = (await client.xinfo('GROUPS', keys.events)) as unknown[]
  return Promise.all(
    groups.map(async (group) => {
      const facts = factsOf(group)
      const channel = String(facts.get('name'))
      const last = String(facts.get('last-delivered-id'))
      const [taken, oldest] = (await client.xpending(keys.events, channel)) as [
        number,
        string | null,
      ]
      const unread = await client.xrange(keys.events, `(${last}`, '+', 'COUNT', MOST_UNREAD)
      const first = oldest ?? unread[0]?.[0]
      return {
        channel,
        waiting: taken + unread.length,
        more: unread.length === MOST_UNREAD,
        since: first === undefined ? undefined : Number(first.split('-')[0]),
      }
    }),
  )
}

/** RESP3 gives a map, RESP2 names and values in turn. */
function factsOf(group: unknown): Map<string, unknown> {
  if (!Array.isArray(group)) return new Map(Object.entries(group as object))
  const facts = new Map<string, unknown>()
  for (let at = 0; at + 1 < group.length; at += 2) facts.set(String(group[at]), group[at + 1])
  return facts
}
