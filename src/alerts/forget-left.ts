import type { Duty } from '../base/duty'
import { readConfigs, readNodes } from '../nodes/read-nodes'
import { isNotAllowed } from '../store/failure'
import type { Store } from '../store/store'
import { readGroups } from './backlog'
import { USUAL_CHANNELS } from './channel-settings'

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
      const sections = named.length === 0 ? undefined : await sectionsOfNodes(store)
      const left = sections ? named.filter((name) => !sections.has(`alert ${name}`)) : []
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

/** The sections that some process has; `undefined`: those of one are not known. */
async function sectionsOfNodes(store: Store): Promise<Set<string> | undefined> {
  const [{ nodes }, configs] = await Promise.all([readNodes(store), readConfigs(store)])
  const sections = new Set<string>()
  for (const { config } of nodes) {
    const known = configs.get(config.digest)
    if (!known) return undefined
    for (const name of Object.keys(known)) sections.add(name)
  }
  return sections
}
