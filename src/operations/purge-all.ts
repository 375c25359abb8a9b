import { Cluster } from 'ioredis'
import { count } from '../base/count'
import { InputError, RefusedError } from '../base/errors'
import { InterruptedError, isStopped, type Work } from '../base/work'
import { scanKeys } from '../store/scan'
import type { Store } from '../store/store'

/**
 * Checks that nobody uses the registry any more: each process of Haraka follows the changes of its prefix.
 *
 * @throws {InputError} the prefix is empty: the keys could be anybody's.
 * @throws {RefusedError} a process lives.
 */
export async function assertUnused(store: Store): Promise<void> {
  const { client, keys } = store
  if (keys.prefix === '') {
    throw new InputError(
      'the prefix of the keys is empty, so this Redis may hold keys of others: delete yours by hand',
    )
  }
  const nodes = client instanceof Cluster ? client.nodes() : [client]
  const answers = await Promise.all(nodes.map((node) => node.pubsub('NUMSUB', keys.changes)))
  const processes = answers.reduce((sum, [, number]) => sum + Number(number), 0)
  if (processes === 0) return
  const who = processes === 1 ? 'a process of Haraka uses' : `${processes} processes of Haraka use`
  throw new RefusedError(
    `${who} the registry under ${keys.prefix}, and nothing was deleted: stop Haraka on all hosts first`,
  )
}

/** How many keys there are under the prefix. */
export async function countKeys(store: Store): Promise<number> {
  let keys = 0
  for await (const names of scanKeys(store)) keys += names.length
  return keys
}

/**
 * Deletes everything under the prefix: registry, restrictions, usage, reports, cases, events, audit trails. A second call
 * completes an interrupted one. The index of tenants goes first, so that what is left is no registry.
 *
 * @param total of {@link countKeys}, for the progress.
 * @returns how many keys were deleted.
 * @throws as {@link assertUnused}; {@link InterruptedError}: it was stopped.
 */
export async function purgeAll(store: Store, total: number, work: Work = {}): Promise<number> {
  await assertUnused(store)
  const { client, keys } = store
  let deleted = await client.unlink(keys.tenants)
  for await (const names of scanKeys(store)) {
    if (isStopped(work)) {
      throw new InterruptedError(
        `stopped: ${deleted} of ${count(total, 'key')} are deleted, and the rest is no registry; run the same command again to go on`,
      )
    }
    // Sent together without waiting: in a Cluster one command could not span slots.
    const freed = await Promise.all(names.map((name) => client.unlink(name)))
    deleted += freed.reduce((sum, each) => sum + each, 0)
    work.progress?.(deleted, total)
  }
  return deleted
}
