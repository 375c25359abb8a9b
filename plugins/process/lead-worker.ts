import type { Cluster, Worker } from 'node:cluster'

/** Named like Haraka's own messages to workers; other receivers ignore it (outbound/index.js, plugins.js). */
const EVENT = 'unregistered-domain.appoint'

/**
 * One process of each Haraka leads: it does what need not be done in every process. It leads until it ends; then another
 * worker follows. For a moment there may be two, or none.
 */
export class LeadWorker {
  private leads = false
  private readonly waiting: (() => void)[] = []

  /** This process leads from now on. */
  lead(): void {
    if (this.leads) return
    this.leads = true
    for (const begin of this.waiting.splice(0)) begin()
  }

  /** Calls `begin` once, when this process leads; at once where it does already. `begin` must not throw. */
  whenLeading(begin: () => void): void {
    if (this.leads) begin()
    else this.waiting.push(begin)
  }

  /** In a worker: leads when the master chooses it. */
  listen(): void {
    process.on('message', (message: { event?: unknown } | null) => {
      if (message?.event === EVENT) this.lead()
    })
  }
}

/**
 * In the master: chooses one worker to lead, and another when that one ends. The master itself handles no mail, and does
 * not know which tenants send any.
 */
export function chooseLeadWorker(cluster: Cluster): void {
  let chosen: Worker | undefined
  const choose = (): void => {
    const fit = Object.values(cluster.workers ?? {}).filter(
      (worker) => worker?.isConnected() && !worker.exitedAfterDisconnect,
    )
    if (chosen && fit.includes(chosen)) return
    chosen = fit[0]
    // Where it ends at this moment, the next event chooses another.
    chosen?.send({ event: EVENT }, () => {})
  }
  cluster.on('online', choose)
  cluster.on('disconnect', choose)
}
