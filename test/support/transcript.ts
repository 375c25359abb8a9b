import type { TestHaraka } from '../../scripts/services/haraka'
import { formatMessage, SmtpClient, type SessionOptions } from '../../scripts/services/smtp'
import type { Step } from './hostile-commands'

/** Haraka's reply to VRFY, which no other command gets. */
const VRFY = /^252 /
const CLOSED = 'closed'
const END = Buffer.from('\r\n')

/**
 * Normalizes what differs between sessions in Haraka's own replies: names of transactions, and the refusal of DATA
 * without recipients, which depends on whether a command had to wait.
 */
function masked(raw: string): string {
  return raw
    .replace('554 No valid recipients', '503 RCPT required first')
    .replace(/\b[0-9A-F]{8}(?:-[0-9A-F]{4}){3}-[0-9A-F]{12}(?:\.\d+)?\b/g, 'UUID')
    .replace(/\((?:[0-9A-F]{6,}|UUID)\)/g, '(ID)')
}

/** Sessions with one Haraka, as a text of all its replies. */
export class Transcript {
  #client: SmtpClient | undefined

  /** @param lines sent one by one after EHLO of every session. */
  constructor(
    private readonly host: TestHaraka,
    private readonly session: SessionOptions,
    private readonly lines: readonly (string | Buffer)[] = [],
  ) {}

  /**
   * All replies to a step, after the greeting where it opens a session; `closed` is last where Haraka ended the
   * session.
   */
  async after({ bytes, deliver }: Step): Promise<string[]> {
    const replies: string[] = []
    const client = await this.#open(replies)
    // Ends an unfinished line.
    await this.#sync(client, Buffer.concat([bytes, END]), replies)
    if (deliver && replies.at(-1) !== CLOSED) await this.#deliver(client, replies)
    if (replies.at(-1) !== CLOSED) await this.#sync(client, Buffer.from('RSET\r\n'), replies)
    return replies
  }

  async end(): Promise<void> {
    await this.#client?.leave()
    this.#client = undefined
  }

  async #open(replies: string[]): Promise<SmtpClient> {
    if (this.#client && !this.#client.closed) return this.#client
    const client = await SmtpClient.connect({ port: this.host.port, ...this.session })
    this.#client = client
    replies.push(masked(client.greeting.raw))
    for (const line of ['EHLO client.example\r\n', ...this.lines]) {
      if (replies.at(-1) !== CLOSED) await this.#sync(client, Buffer.from(line), replies)
    }
    return client
  }

  async #deliver(client: SmtpClient, replies: string[]): Promise<void> {
    client.write('DATA\r\n')
    if (!(await this.#read(client, replies)).startsWith('354')) return
    client.write(`${formatMessage({ from: 'x@x.example', to: 'y@y.example' })}.\r\n`)
    await this.#read(client, replies)
  }

  /** Sends, and reads until all of it has been answered. */
  async #sync(client: SmtpClient, bytes: Buffer, replies: string[]): Promise<void> {
    if (!client.closed) client.socket.write(Buffer.concat([bytes, Buffer.from('VRFY\r\n')]))
    for (;;) {
      const reply = await this.#read(client, replies)
      if (reply === CLOSED) return
      if (!VRFY.test(reply)) continue
      replies.pop()
      return
    }
  }

  async #read(client: SmtpClient, replies: string[]): Promise<string> {
    const reply = await client.read().then(
      ({ raw }) => masked(raw),
      () => CLOSED,
    )
    replies.push(reply)
    return reply
  }
}
