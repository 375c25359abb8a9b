import { existsSync } from 'node:fs'
import type { PauseChange } from '../enforcement/pause'
import { openRecords, type RecordFile } from '../registry-file/read-file'
import type { RegistryRecord } from '../registry-file/record'
import type { Mark } from '../records/token'
import { InputError } from '../base/errors'
import type { Remembered } from './directory'
import { StateBuilder } from './state-builder'

/**
 * Opens the snapshot file; `undefined`: there is none.
 *
 * @param prefix of the keys: the file of another installation is refused.
 * @throws {InputError} it cannot be read, or is not a snapshot of this installation.
 */
export async function openSnapshotFile(
  file: string,
  prefix: string,
): Promise<SnapshotFile | undefined> {
  if (!existsSync(file)) return undefined
  const opened = await openRecords(file)
  const { kind, prefix: theirs } = opened.header
  if (kind === 'snapshot' && theirs === prefix) return new SnapshotFile(opened)
  await opened.close()
  throw new InputError(
    kind === 'snapshot'
      ? `${file}: it was written for keys that begin with "${theirs}", not with "${prefix}": give each installation a file of its own`
      : `${file}: it is a ${kind}, not a snapshot`,
  )
}

/** The snapshot that an earlier process has written. Its first line says of which registry. */
export class SnapshotFile {
  constructor(private readonly opened: RecordFile) {}

  get epoch(): string {
    return this.opened.header.epoch
  }

  /** Server time at which the registry was last seen, in ms since the epoch of Unix. */
  get seenAt(): number {
    return this.opened.header.createdAt
  }

  /** The last time that a tenant was added or removed; `undefined`: it does not say. */
  get changed(): Mark | undefined {
    return this.opened.header.changed?.tenants
  }

  /** The last change of the pause of enforcement; `undefined`: none is known. */
  get pause(): PauseChange | undefined {
    return this.opened.header.pause
  }

  /** The last change of connectors; `undefined`: it does not say. */
  get connectorsMark(): Mark | undefined {
    return this.opened.header.changed?.connectors
  }

  /**
   * Reads all of it, and closes it.
   *
   * @param isWanted called for each record; reading ends with `undefined` when it returns `false`.
   * @throws {InputError} it is damaged; nothing of it may be used then.
   */
  async read(isWanted: () => boolean = () => true): Promise<Remembered | undefined> {
    try {
      const builder = new StateBuilder()
      // The checksum is in the last line: a damaged file throws before anything of it is used.
      for await (const record of this.opened.records()) {
        if (!isWanted()) return undefined
        builder.add(record)
      }
      const { epoch, seenAt, changed, connectorsMark } = this
      return { epoch, seenAt, changed, connectorsMark, ...builder.built() }
    } finally {
      await this.close()
    }
  }

  /** Its records in order. @throws {InputError} it is damaged, which may be found as late as at its end. */
  records(): AsyncIterable<RegistryRecord> {
    return this.opened.records()
  }

  async close(): Promise<void> {
    await this.opened.close()
  }
}
