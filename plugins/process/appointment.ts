import type { Cluster, Worker } from 'node:cluster'

/** As Haraka names its own messages to workers; what does not know it passes it over (outbound/index.js, plugins.js). */
const EVENT = 'unregistered-domain.appoint'

/**
 * What one process of each Haraka does, and not every one. Who has been appointed stays so to its end; if it ends,
 * another one follows. For a moment there may be two, or none.
 */
export class Appointment {
  private appointed = false
  private readonly duties: (() => void)[] = []

  /** This is the process. */
  appoint(): void {
    if (this.appointed) return
    this.appointed = true
    for (const begin of this.duties.splice(0)) begin()
  }

  /** Calls `begin` once when this process has been appointed; at once where it has been already. Must not throw. */
  whenAppointed(begin: () => void): void {
    if (this.appointed) begin()
    else this.duties.push(begin)
  }
}

/**
 * In the master: appoints one worker at a time, another when that one goes. The master itself takes no mail, and does not
 * know which tenants send any.
 */
export function appointWorker(cluster: Cluster): void {
  let appointed: Worker | undefined
  const appoint = (): void => {
    const fit = Object.values(cluster.workers ?? {}).filter(
      (worker) => worker?.isConnected() && !worker.exitedAfterDisconnect,
    )
    if (appointed && fit.includes(appointed)) return
    appointed = fit[0]
    // One that ends in this moment is noticed by the next event.
    appointed?.send({ event: EVENT }, () => {})
  }
  cluster.on('online', appoint)
  cluster.on('disconnect', appoint)
}

/** In a worker: hears of it when the master appoints it. */
export function hearAppointment(appointment: Appointment): void {
  process.on('message', (message: { event?: unknown } | null) => {
    if (message?.event === EVENT) appointment.appoint()
  })
}
