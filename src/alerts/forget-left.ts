import type { Duty } from '../base/duty'
import { isNotAllowed } from '../store/failure'
import type { Store } from '../store/store'
import { readGroups } from './backlog'
import { USUAL_CHANNELS } from './channel-settings'
import { channelsInUse } from './in-use'

/**
 * Forgets the channels that were taken out of the ini file: their alerts would wait for ever. Only those that no process has,
 * not even a missing one, and that none had a minute before either: a process that starts delivers before it is known.
 *
 * @param isOn whether this process has a channel.
 */
export function forgetLeft(store: Store, isOn: (channel: string) => boolean): Duty {
  const { client, keys } = store
  let before: readonly string[] = []
  return {
    name: 'channels of alerts that were taken out',
    every: 60_000,
    run: async () => {
      const groups = (await readGroups(store)).map(({ channel }) => channel)
      const named = groups.filter((name) => !USUAL_CHANNELS.includes(name) && !isOn(name))
      const inUse = named.length === 0 ? undefined : await channelsInUse(store)
      const left = inUse ? named.filter((name) => !inUse.has(name)) : []
      for (const name of left.filter((each) => before.includes(each))) await forget(name)
      before = left
    },
  }

  async function forget(channel: string): Promise<void> {
    try {
      await client.xgroup('DESTROY', keys.events, channel)
    } catch (error) {
      // An ACL file of an earlier version does not allow it.
      if (!isNotAllowed(error)) throw error
    }
  }
}
