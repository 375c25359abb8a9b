import type { Socket } from 'node:net'

/**
 * Sends what a connection writes in one turn of the event loop as one text, after the turn: to wake Redis for each session
 * costs more CPU than the rest of a call. Corking the socket instead costs 8,000 to 10,000 instructions a command more.
 */
export class Turn {
  private text = ''
  private socket: Socket | undefined

  /** @param socketNow the socket that takes the commands of this moment. */
  constructor(private readonly socketNow: () => Socket) {}

  write(data: string | Buffer): void {
    if (typeof data !== 'string') {
      this.send()
      this.socketNow().write(data)
      return
    }
    if (this.text === '') {
      this.socket = this.socketNow()
      setImmediate(this.send)
    }
    this.text += data
  }

  /** Sends at once what waits: something else is about to write to the socket, or to close it. */
  readonly send = (): void => {
    const { socket, text } = this
    this.text = ''
    this.socket = undefined
    // The commands of a lost connection are rejected when it closes.
    if (text !== '' && socket!.writable) socket!.write(text)
  }
}
