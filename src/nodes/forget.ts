import { NotFoundError, RefusedError } from '../base/errors'
import { readScript } from '../store/script'
import type { Store } from '../store/store'
import { hostOf, LATE } from './node'

const FORGET = readScript(__dirname, 'forget')

/**
 * Forgets the processes of a host that is gone for good.
 *
 * @returns how many.
 * @throws {NotFoundError} there is no such host; {@link RefusedError}: some of its processes are alive.
 * @throws where Redis gave no answer.
 */
export async function forgetHost(store: Store, host: string): Promise<number> {
  const { client, keys } = store
  const all = await client.zrange(keys.nodesSeen, '0', '-1')
  const ids = all.filter((id) => hostOf(id) === host)
  if (ids.length === 0) {
    const hosts = [...new Set(all.map(hostOf))].sort()
    const known = hosts.length === 0 ? 'none has reported' : `these have: ${hosts.join(', ')}`
    throw new NotFoundError(`no process of a host "${host}" has reported; ${known}`)
  }
  const alive = (await store.run(
    FORGET,
    [keys.nodes, keys.nodesSeen, keys.nodesAudit],
    [store.actor, host, LATE, ...ids],
  )) as number
  if (alive === 0) return ids.length
  throw new RefusedError(
    `${host} is alive: ${alive} of its processes ${alive === 1 ? 'has' : 'have'} reported in the last ${LATE / 1000} s`,
  )
}
