import { closeSync, fstatSync, writeSync } from 'node:fs'
import { isatty } from 'node:tty'
import { messageOf, UserError } from '../../base/errors'

/** What a command has printed did not arrive, or not all of it. */
export class OutputError extends UserError {
  constructor(
    readonly code: string | undefined,
    message: string,
  ) {
    super(message, 1)
  }
}

/** Where the octets go. */
export interface Device {
  /** Calls `done` once all octets are written, or with why they cannot be. */
  write(octets: Buffer, done: (error?: Error | null) => void): void
  /** @throws what the system says only now of what was written before. */
  close(): void
}

/**
 * The results of a command, on their way to a reader. A command prints and goes on; {@link finish} tells whether all of it
 * arrived.
 */
export class Stdout {
  /** Resolves as soon as something could not be written. */
  readonly failed: Promise<void>
  private onFailure!: () => void
  private failure: OutputError | undefined
  private last = Promise.resolve()
  private advice: string | undefined

  constructor(private readonly device: Device) {
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

  /** Resolves when all that was printed so far is written; rejects with an {@link OutputError}. */
  flushed(): Promise<void> {
    return this.last
  }

  /**
   * From now on a reader who has gone is a failure, too: the command has done something that its output tells.
   *
   * @param advice stands behind the failure: what is done all the same.
   */
  mustArrive(advice: string): void {
    this.advice = advice
  }

  /**
   * Waits until all is written. A reader of a command that only reads may go early: tenantctl … | head
   *
   * @throws {OutputError}
   */
  async finish(): Promise<void> {
    try {
      await this.flushed()
      this.device.close()
    } catch (error) {
      const failure = this.fail(error)
      if (failure.code !== 'EPIPE' || this.advice !== undefined) throw failure
    }
  }

  /** The first failure counts: others follow from it. */
  private fail(error: unknown): OutputError {
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
  const found = fstatSync(STDOUT)
  const hasReader = found.isFIFO() || found.isSocket() || isatty(STDOUT)
  return hasReader ? new Stream(process.stdout) : new File(found.isFile())
}

function ignore(): void {}

/** A pipe or a terminal: it makes us wait for its reader, and what Redis answers must not wait meanwhile. */
class Stream implements Device {
  constructor(private readonly stream: NodeJS.WriteStream) {
    // Each write is told of its failure.
    if (!stream.listeners('error').includes(ignore)) stream.on('error', ignore)
  }

  write(octets: Buffer, done: (error?: Error | null) => void): void {
    this.stream.write(octets, done)
  }

  close(): void {}
}

/** A file or a device. Node's own stream for them loses the rest of a write for which there was only some room. */
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

  /** NFS, for one, may say only now that there was no room. */
  close(): void {
    if (this.isRegular) closeSync(STDOUT)
  }
}
