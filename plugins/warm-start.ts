import type { Cluster, Worker } from 'node:cluster'
import { messageOf } from '../src/errors'
import type { Engine } from '../src/relay/engine'
import { shortTime } from '../src/time'
import { readSnapshotFile } from '../src/warm-start/snapshot-file'
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
   * Gives an engine what an earlier process knew; before it follows changes, so that nothing of Redis is believed
   * unless it is the same registry. Never rejects: a file that is no good is ignored, with a warning.
   */
  async recall(engine: Engine): Promise<void> {
    if (this.file === '') return
    try {
      const remembered = await readSnapshotFile(this.file, engine.store.keys.prefix)
      if (!remembered) return
      engine.directory.remember(remembered)
      const { tenants, connectors, seenAt } = remembered
      this.plugin.lognotice('remembered', {
        tenants: tenants.length,
        connectors: connectors?.size ?? 0,
        of: shortTime(seenAt),
      })
    } catch (error) {
      this.plugin.logwarn(
        `the snapshot file is ignored, a new one will take its place: ${messageOf(error)}`,
      )
    }
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
