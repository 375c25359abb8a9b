import { messageOf } from '../../src/base/errors'
import type { Engine } from '../../src/process/engine'
import type { Directory } from '../../src/directory/directory'
import { shortTime } from '../../src/base/time'
import { openSnapshotFile, type SnapshotFile } from '../../src/directory/snapshot-file'
import { SnapshotWriter } from '../../src/directory/snapshot-writer'
import type { Plugin } from '../kit/haraka'
import { logTextOnce } from '../kit/log'

/** Keeps what a process knows for the next one, which may have to start without Redis. */
export class WarmStart {
  private writer: SnapshotWriter | undefined

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

  /** Writes the file from now on. */
  keep({ store, directory }: Engine): void {
    if (this.file === '' || this.writer) return
    const quiet = logTextOnce((line) => this.plugin.logwarn(line))
    const onError = (message: string): void =>
      void quiet.say(message, `no snapshot was written, for a start without Redis: ${message}`)
    this.writer = new SnapshotWriter(store, directory, this.file, onError)
    this.writer.start()
  }

  stop(): void {
    this.writer?.stop()
  }
}
