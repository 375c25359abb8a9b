import { performance } from 'node:perf_hooks'
import { writeLines } from '../registry-file/write-file'
import { formatRecord } from '../registry-file/record'
import { InputError, messageOf } from '../base/errors'
import type { Store } from '../store/store'
import type { Directory } from './directory'
import { lookAtRegistry, readEpoch } from '../registry/epoch'
import { connectorId } from '../mail/identities'
import { packConnector } from '../registry/formats'
import { readLaterState } from './later-state'
import { openSnapshotFile } from './snapshot-file'
import { SnapshotTenants, type Bounds } from './snapshot-tenants'

const INTERVAL = 2000
/** Until the file of an earlier process has been compared with Redis, in ms. */
const SOON = 100
/** After a failure, in ms. */
const RETRY_AFTER = 60_000
/** Writing takes at most one twentieth of the time, however large the file is. */
const SHARE = 20
/** The file is written at least this often, since it says when the registry was last seen. In ms. */
const LONGEST_AGE = 3_600_000

/**
 * Keeps the snapshot file up to date in the background, for the next process that has to start without Redis. It holds
 * the restricted tenants first, then the most recently used ones.
 */
export class SnapshotWriter {
  private timer: NodeJS.Timeout | undefined
  private written = -1
  private writtenAt = 0
  private notBefore = 0
  private writing = false
  /** The file of an earlier process was compared with Redis. */
  private compared = false
  private readonly tenants: SnapshotTenants

  /**
   * @param onError called with the reason why the file could not be written, and what to do.
   * @param interval between two checks whether there is anything to write, in ms.
   */
  constructor(
    private readonly store: Store,
    private readonly directory: Directory,
    private readonly file: string,
    private readonly onError: (message: string) => void,
    private readonly interval = INTERVAL,
    bounds?: Bounds,
  ) {
    this.tenants = new SnapshotTenants(store, directory, bounds)
  }

  start(): void {
    const interval = this.compared ? this.interval : SOON
    this.timer = setTimeout(() => {
      this.start()
      void this.writeIfDue()
    }, interval).unref()
  }

  stop(): void {
    clearTimeout(this.timer)
    this.timer = undefined
  }

  /** Never rejects. */
  private async writeIfDue(): Promise<void> {
    const { directory } = this
    const now = performance.now()
    const isStale =
      directory.news !== this.written ||
      now > this.writtenAt + LONGEST_AGE ||
      now > this.tenants.staleAt
    if (this.writing || now < this.notBefore || !isStale) return
    // Without Redis the cache holds nothing that is not in the file already.
    if (this.store.client.status !== 'ready' || !directory.isCurrent) return
    this.writing = true
    const { news } = directory
    try {
      if (!(await this.write())) return
      this.written = news
      this.writtenAt = performance.now()
      this.notBefore = this.writtenAt + SHARE * (this.writtenAt - now)
    } catch (error) {
      this.notBefore = performance.now() + RETRY_AFTER
      this.onError(messageOf(error))
    } finally {
      this.writing = false
    }
  }

  /** @returns whether it was written: not if Redis holds no registry, or another one. */
  private async write(): Promise<boolean> {
    const { directory, store } = this
    const { epoch, tenants } = await lookAtRegistry(store)
    if (!epoch || epoch.epoch !== directory.registry.epoch) return false
    if (!this.compared) await this.compare(epoch.epoch)
    this.compared = true
    const lines = await this.tenants.choose()
    // Redis may have lost the registry before this was read.
    if ((await readEpoch(store))?.epoch !== epoch.epoch) return false
    await writeLines(
      this.file,
      {
        kind: 'snapshot',
        prefix: store.keys.prefix,
        epoch: epoch.epoch,
        schema: epoch.schema,
        createdAt: directory.registry.seenAt,
        omitted: Math.max(0, tenants - lines.length),
        changed: { connectors: directory.connectorsMark, tenants: directory.registry.changed },
        pause: directory.pause.change,
      },
      this.lines(lines),
    )
    return true
  }

  /**
   * Compares the file of an earlier process with Redis, which may have gone back in time since: the directory brings into
   * effect what Redis has lost, and the file keeps it. A file of another registry, or a damaged one, is replaced.
   */
  private async compare(epoch: string): Promise<void> {
    const { directory, store, tenants } = this
    const present = await openSnapshotFile(this.file, store.keys.prefix).catch(ignoreUnusable)
    if (!present) return
    try {
      if (present.epoch !== epoch) return
      const later = await readLaterState(present, store, directory)
      await directory.recall(later)
      tenants.keep(later.records)
    } catch (error) {
      ignoreUnusable(error)
    } finally {
      await present.close()
    }
  }

  private *lines(tenants: readonly (readonly string[])[]): Generator<string> {
    // A copy: a connector that changes while the file is written must not be in it twice.
    for (const connector of [...(this.directory.connectors?.all() ?? [])]) {
      const id = connectorId(connector.tenant, connector.name)
      yield formatRecord({ type: 'connector', id, value: packConnector(connector) })
    }
    for (const lines of tenants) yield* lines
  }
}

function ignoreUnusable(error: unknown): undefined {
  if (!(error instanceof InputError)) throw error
}
