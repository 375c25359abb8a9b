import { hostname } from 'node:os'
import { noSuchTenant } from '../base/errors'
import type { Store } from '../store/store'
import { dropFromQueue, noteShown, readQueue, type HoldSettings, type Queued } from './queue'
import { listQueue, UNBOUNDED } from './queue-list'
import type { DroppedFromQueues, QueueList, QueueQuestion } from './queue-orders'

/** The queue of this host alone, read without Haraka: as `askQueues` and `dropFromQueues`, and all of it. */
export class LocalQueue {
  private mail: readonly Queued[] = []

  constructor(
    private readonly store: Store,
    private readonly settings: HoldSettings,
    private readonly directory: string,
  ) {}

  /**
   * @throws {NotFoundError} neither the registry nor the queue knows the tenant.
   * @throws {UserError} the queue cannot be read.
   */
  async ask({ tenant, where = [], for: purpose }: QueueQuestion): Promise<QueueList> {
    const { store, settings, directory } = this
    const queue = await readQueue(store, settings, { directory, tenant })
    if (!queue.isKnown && queue.mail.length === 0) throw noSuchTenant(tenant)
    if (purpose === 'headers') await noteShown(store, tenant, where)
    const task = { where, for: purpose }
    const { answer, ids } = await listQueue(directory, queue, task, UNBOUNDED)
    const wanted = new Set(ids)
    this.mail = queue.mail.filter(({ id }) => wanted.has(id))
    const host = { name: hostname(), directory }
    return { order: '', tenant, hosts: [{ ...answer, host }], silent: [], failed: [] }
  }

  /** @param list made `for: 'drop'`, by this object. */
  async drop({ tenant, hosts }: QueueList): Promise<DroppedFromQueues> {
    const { host } = hosts[0]!
    const done = await dropFromQueue(this.store, this.settings, { host, tenant }, this.mail)
    return { hosts: [{ ...done, host }], silent: [], failed: [] }
  }
}
