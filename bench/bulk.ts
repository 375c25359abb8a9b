import { once } from 'node:events'
import net from 'node:net'
import { waitFor } from '../scripts/services/wait-for'

/** Bytes that may be on their way: enough that Redis never waits for us. */
const WINDOW = 8 * 2 ** 20
const NEWLINE = 10
const MINUS = 45

/**
 * Sends commands to Redis as fast as it takes them, as `redis-cli --pipe` does: nobody waits for an answer, and the
 * answers are only counted. They must be one line each (a number or a status).
 */
export class BulkLoader {
  private readonly pending: string[] = []
  private pendingBytes = 0
  private sent = 0
  private answered = 0
  private failure: string | undefined
  private lineStart = true
  private constructor(private readonly socket: net.Socket) {}

  static async open(port: number): Promise<BulkLoader> {
    const socket = net.connect({ port, host: '127.0.0.1' })
    await once(socket, 'connect')
    const loader = new BulkLoader(socket)
    socket.on('data', (piece: Buffer) => loader.count(piece))
    socket.on('error', (error) => (loader.failure ??= error.message))
    return loader
  }

  /**
   * Adds a command; its words are bytes (latin1).
   *
   * @throws Error where Redis has refused one of those before
   */
  async add(...words: readonly string[]): Promise<void> {
    // RESP: an array of bulk strings.
    let text = `*${words.length}\r\n`
    for (const word of words) text += `$${word.length}\r\n${word}\r\n`
    this.pending.push(text)
    this.pendingBytes += text.length
    if (this.pendingBytes >= WINDOW / 8) await this.flush()
  }

  /** Waits until Redis has answered all, and closes the connection. */
  async end(): Promise<void> {
    await this.flush()
    await waitFor(() => this.failure !== undefined || this.answered === this.sent, {
      timeout: 300_000,
      what: 'the last answer',
    })
    this.socket.destroy()
    this.check()
  }

  private async flush(): Promise<void> {
    this.check()
    this.sent += this.pending.length
    const piece = Buffer.from(this.pending.join(''), 'latin1')
    this.pending.length = this.pendingBytes = 0
    this.socket.write(piece)
    if (this.socket.writableLength > WINDOW) await once(this.socket, 'drain')
  }

  private count(piece: Buffer): void {
    for (const byte of piece) {
      if (this.lineStart && byte === MINUS) this.failure ??= piece.toString('latin1')
      this.lineStart = byte === NEWLINE
      if (this.lineStart) this.answered++
    }
  }

  private check(): void {
    if (this.failure !== undefined) throw new Error(`Redis: ${this.failure.slice(0, 200)}`)
  }
}
