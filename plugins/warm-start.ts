import type { Cluster, Worker } from 'node:cluster'
import { messageOf } from '../src/errors'
import type { Engine } from '../src/relay/engine'
import type { Directory } from '../src/tenants/directory'
import { shortTime } from '../src/time'
import { openSnapshotFile, type SnapshotFile } from '../src/warm-start/snapshot-file'
import { SnapshotWriter } from '../src/warm-start/snapshot-writer'
import type { Plugin } from './haraka'
import { lineOf, Quiet } from './quiet'

/** As Haraka names its own messages to workers; what does not know it passes it over (outbound/index.js, plugins.js). */
const EVENT = 'unregistered-domain.write-snapshot'

/** Keeps what a process knows for the next one, which may have to start without Redis. */
export class WarmStart {
  private writer: SnapshotWriter | undefined
  private appointed = false

  /** @param file path of the snapshot file; empty: there is none. */
  constructor(
    private readonly plugin: Plugin,
    private readonly file: string,
  ) {}

  /**
   * Tells an engine which registry an earlier process knew, before it follows changes, so that nothing of another one is
   * believed; and in the background what that process knew, unless Redis answers first. Never rejects: a file that is no
   * good is ignored, with a warning.
   */
  async recall({ store, directory }: Engine): Promise<void> {
    if (this.file === '') return
    try {
      const snapshot = await openSnapshotFile(this.file, store.keys.prefix)
      if (!snapshot) return
      directory.registry.remember(snapshot.epoch, snapshot.seenAt)
      void this.recallRest(directory, snapshot)
    } catch (error) {
      this.ignored(error)
    }
  }

  private async recallRest(directory: Directory, snapshot: SnapshotFile): Promise<void> {
    try {
      const remembered = await snapshot.read(() => !directory.isCurrent)
      if (!remembered) return
      directory.remember(remembered)
      const { tenants, connectors, seenAt } = remembered
      this.plugin.lognotice('remembered', {
        tenants: tenants.length,
        connectors: connectors?.size ?? 0,
        of: shortTime(seenAt),
      })
    } catch (error) {
      directory.registry.forget()
      this.ignored(error)
    }
  }

  private ignored(error: unknown): void {
    this.plugin.logwarn(
      `the snapshot file is ignored, a new one will take its place: ${messageOf(error)}`,
    )
  }

  /** Writes the file from now on, if this is the process that is to do it. */
  keep({ store, directory }: Engine): void {
    if (this.file === '' || this.writer) return
    const quiet = new Quiet((message, repeats) => this.plugin.logwarn(lineOf(message, repeats)))
    const onError = (message: string): void =>
      void quiet.say(message, `no snapshot was written, for a start without Redis: ${message}`)
    this.writer = new SnapshotWriter(store, directory, this.file, onError)
    if (this.appointed) this.writer.start()
  }

  /** This is the one process that writes. */
  appoint(): void {
    this.appointed = true
    this.writer?.start()
  }

  stop(): void {
    this.writer?.stop()
  }
}

/**
 * In the master: names one worker at a time to write the snapshot file, another when that one goes. The master itself
 * does not know which tenants send mail.
 */
export function appointWriter(cluster: Cluster): void {
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

/** In a worker: calls `start` when the master names it. */
export function onAppointed(start: () => void): void {
  process.on('message', (message: { event?: unknown } | null) => {
    if (message?.event === EVENT) start()
  })
}
