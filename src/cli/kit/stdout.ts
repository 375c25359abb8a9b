import { closeSync, fstatSync, writeSync } from 'node:fs'
import { isatty } from 'node:tty'
import { messageOf, UserError } from '../../base/errors'

/** The output of a command did not arrive completely. */
export class OutputError extends UserError {
  constructor(
    readonly code: string | undefined,
    message: string,
  ) {
    super(message, 1)
  }
}

/** The device that the output is written to. */
export interface Device {
  /** Calls `done` once all octets are written, or with the error. */
  write(octets: Buffer, done: (error?: Error | null) => void): void
  /** @throws an error that the system reports only at the end. */
  close(): void | Promise<void>
}

/** The output of a command. A command prints without waiting; {@link finish} waits for all of it to be written. */
export class Stdout {
  /** Resolves as soon as something could not be written. */
  readonly failed: Promise<void>
  private onFailure!: () => void
  private failure: OutputError | undefined
  private last = Promise.resolve()
  private advice: string | undefined

  constructor(private device: Device) {
    this.failed = new Promise((resolve) => (this.onFailure = resolve))
  }

  write(text: string): void {
    this.last = new Promise((resolve, reject) => {
      if (this.failure) return reject(this.failure)
      this.device.write(Buffer.from(text), (error) =>
        error ? reject(this.fail(error)) : resolve(),
      )
    })
    this.last.catch(() => {})
  }

  /** Writes to another device from now on. */
  through(device: Device): void {
    this.device = device
  }

  /** Resolves when all output so far is written; rejects with an {@link OutputError}. */
  flushed(): Promise<void> {
    return this.last
  }

  /**
   * From now on a closed pipe is a failure too: the command has changed something, and its output says what.
   *
   * @param advice is appended to the failure: what was done nevertheless.
   */
  mustArrive(advice: string): void {
    this.advice = advice
  }

  /**
   * Waits until all output is written. The output of a command that only reads may be cut short: tenantctl … | head
   *
   * @throws {OutputError}
   */
  async finish(): Promise<void> {
    try {
      await this.flushed().finally(() => this.device.close())
    } catch (error) {
      const failure = this.fail(error)
      if (failure.code !== 'EPIPE' || this.advice !== undefined) throw failure
    }
  }

  /** The first failure is reported: later ones follow from it. */
  private fail(error: unknown): OutputError {
    // A device that knows more than the system says so.
    if (error instanceof OutputError) this.failure = error
    const { code } = error as NodeJS.ErrnoException
    const reason = code === 'EPIPE' ? 'EPIPE: its reader has gone' : messageOf(error)
    const advice = this.advice === undefined ? '' : `; ${this.advice}`
    this.failure ??= new OutputError(
      code,
      `stdout cannot be written (${reason}): the output is not complete${advice}`,
    )
    this.onFailure()
    return this.failure
  }
}

const STDOUT = 1

/** stdout of this process. */
export function stdoutDevice(): Device {
  // Without `bigint`, Node's realpath would read the kind of a pipe out of the last answer and stop at it (lib/fs.js,
  // realpathSync): packages behind symbolic links, as pnpm installs them, would not find theirs.
  const found = fstatSync(STDOUT, { bigint: true })
  const hasReader = found.isFIFO() || found.isSocket() || isatty(STDOUT)
  return hasReader ? new Stream(process.stdout) : new File(found.isFile())
}

function ignore(): void {}

/** A pipe or a terminal. Writing waits for the reader, and must not block the answers of Redis meanwhile. */
class Stream implements Device {
  constructor(private readonly stream: NodeJS.WriteStream) {
    // The callback of each write reports its failure.
    if (!stream.listeners('error').includes(ignore)) stream.on('error', ignore)
  }

  write(octets: Buffer, done: (error?: Error | null) => void): void {
    this.stream.write(octets, done)
  }

  close(): void {}
}

/** A file or a device. Node's own stream drops the rest of a write that the disk had only partly room for. */
class File implements Device {
  constructor(private readonly isRegular: boolean) {}

  write(octets: Buffer, done: (error?: Error | null) => void): void {
    try {
      for (let at = 0; at < octets.length;) at += writeSync(STDOUT, octets, at)
    } catch (error) {
      return done(error as Error)
    }
    done()
  }

  /** NFS, for example, may report only now that the disk is full. */
  close(): void {
    if (this.isRegular) closeSync(STDOUT)
  }
}
