import { SmtpClient, type Reply } from '../../scripts/services/smtp'
import { now } from './clock'
import type { Ending, Exchange, SenderKind, SessionRecord, Transaction } from './history'
import { readKeyword } from './witness'

/** After so long without an answer a session gives up, in ms; the rules ask for less. */
const PATIENCE = 30_000

/** The connection has ended without our doing, or stays silent; the record says when. */
export class SessionBroken extends Error {}

/** A session that writes down all that is said in it. */
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

  /** MAIL; the transaction is over already where it was refused. */
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
    end(transaction, reply.positive ? 'taken' : 'returned')
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

  /** Goes away, inside of DATA with half a message. */
  async leave(transaction: Transaction, how: 'FIN' | 'RST', half?: string): Promise<void> {
    if (half !== undefined) this.client.write(half)
    await this.client.leave(how)
    end(transaction, 'returned')
  }

  /** Asks for one more recipient and goes away without waiting for the answer. */
  async leaveAtRcpt(transaction: Transaction, how: 'FIN' | 'RST', to: string): Promise<void> {
    const exchange: Exchange = { verb: 'RCPT', sent: now() }
    transaction.rcpts.push(exchange)
    this.client.write(`RCPT TO:<${to}>\r\n`)
    await this.client.leave(how)
    exchange.answered = now()
    end(transaction, 'returned')
  }

  /** Sends the message and goes away without waiting for the answer. */
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
