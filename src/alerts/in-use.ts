import { nameOf } from '../config/section'
import { readConfigs, readNodes } from '../nodes/read-nodes'
import type { NodeConfig } from '../nodes/node'
import type { Store } from '../store/store'
import { ALERT_CHANNELS } from './channel-settings'

/**
 * The channels that some process has, a missing one included, by the names of their groups. `undefined`: no process is known,
 * or not what one has.
 *
 * @throws where Redis gave no answer.
 */
export async function channelsInUse(store: Store): Promise<ReadonlySet<string> | undefined> {
  const [{ nodes }, configs] = await Promise.all([readNodes(store), readConfigs(store)])
  const known = nodes.map(({ config }) => configs.get(config.digest))
  if (known.length === 0 || known.includes(undefined)) return undefined
  return new Set(known.flatMap((config) => channelsOf(config!)))
}

function channelsOf({ alerts = {}, ...others }: NodeConfig): string[] {
  return [
    ...('webhook' in alerts ? ['webhook'] : []),
    ...('mail_to' in alerts ? ['mail', 'contact'] : []),
    ...Object.keys(others).flatMap((name) => nameOf(ALERT_CHANNELS.word, name) ?? []),
  ]
}
