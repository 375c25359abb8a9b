import { SmtpClient, type Reply } from '../../scripts/services/smtp'
import { now } from './clock'
import type { Ending, Exchange, SenderKind, SessionRecord, Transaction } from './history'
import { readKeyword } from './witness'

/** How long a session waits for a reply, in ms; the rules allow less. */
const PATIENCE = 30_000

/** The connection was closed by the other side, or is silent; the record has the time. */
export class SessionBroken extends Error {}

/** A session that records all its commands and replies. */
export class WitnessedSession {
  private client!: SmtpClient
  private uuid = ''
  private mails = 0

  private constructor(readonly record: SessionRecord) {}

  /** Connects and greets. @throws SessionBroken */
  static async open(
    tenant: string,
    port: number,
    localAddress: string,
    sessions: SessionRecord[],
  ): Promise<WitnessedSession> {
    const record: SessionRecord = { tenant, pid: 0, exchanges: [], transactions: [] }
    sessions.push(record)
    const session = new WitnessedSession(record)
    await session.exchange('CONNECT', async () => {
      session.client = await SmtpClient.connect({ port, localAddress })
      return session.client.greeting
    })
    await session.exchange('EHLO', () => session.client.ehlo())
    const { pid, uuid } = readKeyword(session.client.capabilities)
    record.pid = pid
    session.uuid = uuid
    return session
  }

  /** MAIL; where it is refused, the transaction has ended. */
  async mail(sender: SenderKind, from: string, sink: Transaction['sink']): Promise<Transaction> {
    this.mails++
    const mail: Exchange = { verb: 'MAIL', sent: now() }
    const transaction: Transaction = {
      // connection.js, tran_uuid
      id: `${this.uuid}.${this.mails}`,
      tenant: this.record.tenant,
      ...{ sender, mail, rcpts: [], sink },
    }
    this.record.transactions.push(transaction)
    try {
      const reply = await this.follow(mail, () => this.client.mail(from))
      if (!reply.positive) end(transaction, 'returned')
    } catch (error) {
      end(transaction, 'broken')
      throw error
    }
    return transaction
  }

  async rcpt(transaction: Transaction, to: string): Promise<void> {
    const exchange: Exchange = { verb: 'RCPT', sent: now() }
    transaction.rcpts.push(exchange)
    await this.within(transaction, () => this.follow(exchange, () => this.client.rcpt(to)))
  }

  /** DATA. @returns whether it may go on. */
  async data(transaction: Transaction): Promise<boolean> {
    const reply = await this.within(transaction, () =>
      this.exchange('DATA', () => this.client.data()),
    )
    if (!reply.positive) end(transaction, 'returned')
    return reply.positive
  }

  /** The message and its final dot. */
  async dot(transaction: Transaction, text: string): Promise<void> {
    transaction.dot = { verb: 'DOT', sent: now() }
    const { dot } = transaction
    const reply = await this.within(transaction, () =>
      this.follow(dot, () => this.client.message(text)),
    )
    end(transaction, reply.positive ? 'accepted' : 'returned')
  }

  async rset(transaction: Transaction): Promise<void> {
    await this.within(transaction, () => this.exchange('RSET', () => this.client.rset()))
    end(transaction, 'returned')
  }

  async quit(transaction?: Transaction): Promise<void> {
    const quit = () => this.exchange('QUIT', () => this.client.quit())
    if (!transaction) return void (await quit())
    await this.within(transaction, quit)
    end(transaction, 'returned')
  }

  /** Leaves; within DATA after half a message. */
  async leave(transaction: Transaction, how: 'FIN' | 'RST', half?: string): Promise<void> {
    if (half !== undefined) this.client.write(half)
    await this.client.leave(how)
    end(transaction, 'returned')
  }

  /** Sends one more RCPT and leaves without waiting for the reply. */
  async leaveAtRcpt(transaction: Transaction, how: 'FIN' | 'RST', to: string): Promise<void> {
    const exchange: Exchange = { verb: 'RCPT', sent: now() }
    transaction.rcpts.push(exchange)
    this.client.write(`RCPT TO:<${to}>\r\n`)
    await this.client.leave(how)
    exchange.answered = now()
    end(transaction, 'returned')
  }

  /** Sends the message and leaves without waiting for the reply. */
  async leaveAtDot(transaction: Transaction, how: 'FIN' | 'RST', text: string): Promise<void> {
    await this.client.messageAndLeave(how, text)
    end(transaction, how === 'FIN' ? 'left' : 'torn')
  }

  private async within<T>(transaction: Transaction, work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      end(transaction, 'broken')
      throw error
    }
  }

  private exchange(verb: Exchange['verb'], act: () => Promise<Reply>): Promise<Reply> {
    return this.follow({ verb, sent: now() }, act)
  }

  private async follow(exchange: Exchange, act: () => Promise<Reply>): Promise<Reply> {
    this.record.exchanges.push(exchange)
    let timer: NodeJS.Timeout | undefined
    const silence = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => reject(new SessionBroken(`${exchange.verb}: silence`)), PATIENCE)
    })
    const answer = act().then(
      (reply) => {
        exchange.answered = now()
        exchange.reply = reply.raw
        return reply
      },
      (error: Error) => {
        exchange.answered = now()
        throw new SessionBroken(`${exchange.verb}: ${error.message}`, { cause: error })
      },
    )
    try {
      return await Promise.race([answer, silence])
    } finally {
      clearTimeout(timer)
    }
  }
}

function end(transaction: Transaction, ending: Ending): void {
  transaction.ending = ending
  transaction.endedAt = now()
}
