import { performance } from 'node:perf_hooks'
import { messageOf } from '../../src/base/errors'
import type { Engine } from '../../src/process/engine'
import type { Directory } from '../../src/directory/directory'
import { shortTime } from '../../src/base/time'
import { openSnapshotFile, type SnapshotFile } from '../../src/directory/snapshot-file'
import { SnapshotWriter } from '../../src/directory/snapshot-writer'
import type { Plugin } from '../kit/haraka'
import { logTextOnce } from '../kit/log'

/** Writes what a process knows to a snapshot file: the next process may have to start without Redis. */
export class WarmStart {
  private writer: SnapshotWriter | undefined

  /** @param file path of the snapshot file; empty: there is none. */
  constructor(
    private readonly plugin: Plugin,
    private readonly file: string,
  ) {}

  /**
   * Reads the snapshot file into an engine. It resolves when the engine knows which registry the earlier process knew, so
   * that it accepts no other one; the rest is read in the background, unless Redis answers first. Never rejects: an
   * unusable file is ignored with a warning.
   */
  async recall({ store, directory }: Engine): Promise<void> {
    if (this.file === '') return
    try {
      const snapshot = await openSnapshotFile(this.file, store.keys.prefix)
      if (!snapshot) return
      directory.registry.remember(snapshot)
      const { pause: change, seenAt } = snapshot
      // A clock that is not set yet must not prolong it.
      const now = Math.max(Date.now(), seenAt)
      if (change) directory.pause.adopt({ now, change }, performance.now())
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
      if (directory.registry.epoch === undefined) directory.pause.forget()
      this.ignored(error)
    }
  }

  private ignored(error: unknown): void {
    this.plugin.logwarn(
      `the snapshot file is ignored, a new one will replace it: ${messageOf(error)}`,
    )
  }

  /** Keeps the file up to date from now on. */
  keep({ store, directory }: Engine): void {
    if (this.file === '' || this.writer) return
    const log = logTextOnce((line) => this.plugin.logwarn(line))
    const onError = (message: string): void =>
      void log.say(message, `no snapshot was written, for a start without Redis: ${message}`)
    this.writer = new SnapshotWriter(store, directory, this.file, onError)
    this.writer.start()
  }

  stop(): void {
    this.writer?.stop()
  }
}
