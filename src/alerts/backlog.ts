import type { Store } from '../store/store'

/** At most this many entries that no process has picked up are counted. */
const MOST_UNREAD = 100

/** The alerts that wait for a channel. */
export interface Backlog {
  readonly channel: string
  readonly waiting: number
  /** There are more than `waiting` says. */
  readonly more: boolean
  /** When the oldest was published, in ms; `undefined`: none waits. */
  readonly since: number | undefined
}

/** Reads the backlog of each channel that has ever delivered. Writes nothing. */
export async function readBacklogs(store: Store): Promise<Backlog[]> {
  const { client, keys } = store
  return Promise.all(
    (await readGroups(store)).map(async ({ channel, last }) => {
      const [pending, oldest] = (await client.xpending(keys.events, channel)) as [
        number,
        string | null,
      ]
      const unread = await client.xrange(keys.events, `(${last}`, '+', 'COUNT', MOST_UNREAD)
      const first = oldest ?? unread[0]?.[0]
      return {
        channel,
        waiting: pending + unread.length,
        more: unread.length === MOST_UNREAD,
        since: first === undefined ? undefined : Number(first.split('-')[0]),
      }
    }),
  )
}

/** The channels that have ever delivered, and the last entry that each has picked up. */
export async function readGroups({
  client,
  keys,
}: Store): Promise<{ readonly channel: string; readonly last: string }[]> {
  if ((await client.exists(keys.events)) === 0) return []
  const groups = (await client.xinfo('GROUPS', keys.events)) as unknown[]
  return groups.map((group) => {
    const facts = factsOf(group)
    return { channel: String(facts.get('name')), last: String(facts.get('last-delivered-id')) }
  })
}

/** RESP3 replies with a map, RESP2 with a flat list of names and values. */
function factsOf(group: unknown): Map<string, unknown> {
  if (!Array.isArray(group)) return new Map(Object.entries(group as object))
  const facts = new Map<string, unknown>()
  for (let at = 0; at + 1 < group.length; at += 2) facts.set(String(group[at]), group[at + 1])
  return facts
}
