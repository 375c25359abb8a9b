import { once } from 'node:events'
import net from 'node:net'
import tls from 'node:tls'
import { Reply, ReplyParser } from './smtp-reply'

export { Reply } from './smtp-reply'

/** Where and how to connect. */
export interface ConnectOptions {
  port: number
  host?: string
  /** Client address; on Linux any of 127.0.0.0/8. */
  localAddress?: string
  /** TLS from the first byte on (SMTPS), with these options. */
  tls?: tls.ConnectionOptions
  /** Sends a PROXY line, version 1, with this client address. */
  proxyFrom?: string
  /** Sent unchanged before the greeting. */
  first?: string
}

/** A message. Addresses are without angle brackets; `''` as sender is the null sender. */
export interface Mail {
  from: string
  to: string | string[]
  subject?: string
  body?: string
  headers?: Record<string, string>
}

/** The replies to the commands of a message. */
export interface Sent {
  mail: Reply
  /** One for each recipient, in order; empty when MAIL was refused. */
  rcpts: Reply[]
  /** Recipients that were accepted at RCPT. */
  accepted: string[]
  /** The reply to the final dot; undefined if the message did not get that far. */
  end: Reply | undefined
  /** Whether the message was accepted. */
  delivered: boolean
  /** The first negative reply, else the last one. */
  last: Reply
}

/** The AUTH user and TLS options of a new session. */
export interface SessionOptions extends Omit<ConnectOptions, 'port'> {
  helo?: string
  auth?: { user: string; password: string }
  /** STARTTLS after EHLO, with these options. */
  starttls?: tls.ConnectionOptions
}

/**
 * A small SMTP client: each method sends one command and returns the reply as received. A negative reply is not an
 * error; only a closed connection is.
 */
export class SmtpClient {
  #socket: net.Socket
  readonly #parser = new ReplyParser()
  readonly #replies: Reply[] = []
  readonly #readers: { resolve: (reply: Reply) => void; reject: (error: Error) => void }[] = []
  #closed: Error | undefined
  #greeting: Reply | undefined
  #capabilities: string[] = []

  private constructor(socket: net.Socket) {
    this.#socket = socket
    this.#listen(socket)
  }

  /** Connects and waits for the greeting, see `greeting`. */
  static async connect(options: ConnectOptions): Promise<SmtpClient> {
    const { port, host = '127.0.0.1', localAddress, proxyFrom, first } = options
    const socket = net.connect({ port, host, noDelay: true, ...(localAddress && { localAddress }) })
    await once(socket, 'connect')
    if (proxyFrom) socket.write(proxyLine(proxyFrom, socket))
    if (first) socket.write(first)
    const client = new SmtpClient(options.tls ? await secure(socket, options.tls) : socket)
    client.#greeting = await client.read()
    return client
  }

  /** Connects and, by the options, continues with EHLO, STARTTLS and EHLO again, AUTH. */
  static async open({ helo, auth, starttls, ...options }: SessionOptions & ConnectOptions) {
    const client = await SmtpClient.connect(options)
    await client.ehlo(helo)
    if (starttls) {
      await client.starttls(starttls)
      await client.ehlo(helo)
    }
    if (auth) {
      const reply = await client.authPlain(auth.user, auth.password)
      if (reply.code !== 235) throw new Error(`AUTH as ${auth.user}: ${String(reply)}`)
    }
    return client
  }

  get greeting(): Reply {
    if (!this.#greeting) throw new Error('there was no greeting')
    return this.#greeting
  }

  /** The keywords of the last EHLO, with their parameters. */
  get capabilities(): string[] {
    return this.#capabilities
  }

  /** The socket, for anything else. It changes with STARTTLS. */
  get socket(): net.Socket {
    return this.#socket
  }

  get closed(): boolean {
    return this.#closed !== undefined
  }

  /** Sends a text unchanged, in UTF-8. */
  write(text: string): void {
    this.#socket.write(text)
  }

  /** The next reply. @throws Error when the connection ends before it */
  read(): Promise<Reply> {
    const reply = this.#replies.shift()
    if (reply) return Promise.resolve(reply)
    if (this.#closed) return Promise.reject(this.#closed)
    return new Promise((resolve, reject) => this.#readers.push({ resolve, reject }))
  }

  command(line: string): Promise<Reply> {
    this.write(`${line}\r\n`)
    return this.read()
  }

  /** Sends all lines in one write (PIPELINING, RFC 2920) and returns all replies. */
  pipeline(lines: string[]): Promise<Reply[]> {
    this.write(lines.map((line) => `${line}\r\n`).join(''))
    return Promise.all(lines.map(() => this.read()))
  }

  async ehlo(name = 'client.example'): Promise<Reply> {
    const reply = await this.command(`EHLO ${name}`)
    this.#capabilities = reply.lines.slice(1).map((line) => line.slice(4))
    return reply
  }

  /**
   * STARTTLS and the handshake. Without `ca` the server's certificate is not checked. The session needs another EHLO.
   */
  async starttls(options: tls.ConnectionOptions = {}): Promise<Reply> {
    const reply = await this.command('STARTTLS')
    if (reply.code !== 220) return reply
    this.#socket.removeAllListeners()
    this.#socket = await secure(this.#socket, options)
    this.#listen(this.#socket)
    return reply
  }

  /**
   * The TLS session that a later connection can resume (`starttls({ session })`). In TLS 1.3 it
   * comes after the handshake, so this waits for it.
   */
  async tlsSession(): Promise<Buffer> {
    const socket = this.#socket as tls.TLSSocket
    const session = socket.getProtocol() === 'TLSv1.3' ? this.#ticket : socket.getSession()
    if (session) return session
    const [ticket] = (await once(socket, 'session')) as [Buffer]
    return ticket
  }

  #ticket: Buffer | undefined

  /** Whether the TLS session was resumed. */
  get resumed(): boolean {
    return (this.#socket as tls.TLSSocket).isSessionReused()
  }

  authPlain(user: string, password: string): Promise<Reply> {
    const secret = Buffer.from(`\0${user}\0${password}`).toString('base64')
    return this.command(`AUTH PLAIN ${secret}`)
  }

  /** `params` such as `SMTPUTF8` follow the address. */
  mail(from: string, params = ''): Promise<Reply> {
    return this.command(`MAIL FROM:<${from}>${params && ` ${params}`}`)
  }

  rcpt(to: string): Promise<Reply> {
    return this.command(`RCPT TO:<${to}>`)
  }

  /** The DATA command alone; `message()` goes on. */
  data(): Promise<Reply> {
    return this.command('DATA')
  }

  /** A message with its final dot. */
  message(text = formatMessage({ from: 'a@example.com', to: 'b@example.com' })): Promise<Reply> {
    this.write(withDot(text))
    return this.read()
  }

  /**
   * Sends a message with its final dot and leaves at once, without waiting for the answer: with a
   * FIN, or with a RST.
   */
  async messageAndLeave(how: 'FIN' | 'RST', text?: string): Promise<void> {
    const bytes = withDot(text ?? formatMessage({ from: 'a@example.com', to: 'b@example.com' }))
    if (how === 'FIN') this.#socket.end(bytes)
    else this.#socket.write(bytes, () => this.#socket.resetAndDestroy())
    await this.#ended()
  }

  rset(): Promise<Reply> {
    return this.command('RSET')
  }

  noop(): Promise<Reply> {
    return this.command('NOOP')
  }

  /** XCLIENT with attributes such as `{ ADDR: '192.0.2.1' }`; the reply is the new greeting. */
  xclient(attributes: Record<string, string>): Promise<Reply> {
    const list = Object.entries(attributes).map(([name, value]) => `${name}=${value}`)
    return this.command(`XCLIENT ${list.join(' ')}`)
  }

  /** QUIT, and waits until the connection is closed. */
  async quit(): Promise<Reply> {
    const reply = await this.command('QUIT')
    this.#socket.end()
    await this.#ended()
    return reply
  }

  /** Leaves without QUIT: a FIN, or a RST. */
  async leave(how: 'FIN' | 'RST' = 'FIN'): Promise<void> {
    if (how === 'FIN') this.#socket.destroy()
    else this.#socket.resetAndDestroy()
    await this.#ended()
  }

  /**
   * One message from MAIL to the final dot. Goes on with the accepted recipients, and ends the transaction with RSET
   * if there are none.
   */
  async send(mail: Mail): Promise<Sent> {
    const recipients = [mail.to].flat()
    const sent: Omit<Sent, 'last'> = {
      mail: await this.mail(mail.from),
      rcpts: [],
      accepted: [],
      end: undefined,
      delivered: false,
    }
    if (!sent.mail.positive) return { ...sent, last: sent.mail }
    for (const recipient of recipients) {
      const reply = await this.rcpt(recipient)
      sent.rcpts.push(reply)
      if (reply.positive) sent.accepted.push(recipient)
    }
    if (sent.accepted.length === 0) {
      await this.rset()
    } else {
      const data = await this.data()
      sent.end = data.positive ? await this.message(formatMessage(mail)) : data
      sent.delivered = sent.end.positive
    }
    const replies = [sent.mail, ...sent.rcpts, ...(sent.end ? [sent.end] : [])]
    const last = replies.find((reply) => !reply.positive) ?? replies.at(-1) ?? sent.mail
    return { ...sent, last }
  }

  #listen(socket: net.Socket): void {
    socket.on('session', (ticket: Buffer) => (this.#ticket = ticket))
    socket.setEncoding('utf8')
    socket.on('data', (text: string) => {
      for (const reply of this.#parser.push(text)) {
        const reader = this.#readers.shift()
        if (reader) reader.resolve(reply)
        else this.#replies.push(reply)
      }
    })
    socket.on('error', (error) => (this.#closed ??= closedError(error)))
    // Haraka answers a FIN with its own only in an idle session.
    socket.on('close', () => {
      this.#closed ??= closedError()
      for (const { reject } of this.#readers.splice(0)) reject(this.#closed)
    })
  }

  async #ended(): Promise<void> {
    if (!this.#socket.closed) await once(this.#socket, 'close').catch(() => {})
  }
}

/** A message as text, ready for DATA except the final dot. */
export function formatMessage({ from, to, subject = 'Test', body = 'Hello', headers }: Mail) {
  const all = {
    From: `<${from || 'mailer-daemon@client.example'}>`,
    To: [to].flat().join(', '),
    Subject: subject,
    ...headers,
  }
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}`)
  return `${lines.join('\r\n')}\r\n\r\n${body}\r\n`
}

/** Doubles leading dots and appends the final one (RFC 5321 section 4.5.2). */
function withDot(text: string): string {
  return `${text.replace(/^\./gm, '..')}${text.endsWith('\r\n') ? '' : '\r\n'}.\r\n`
}

function proxyLine(from: string, { localPort, remotePort }: net.Socket): string {
  const [family, to] = net.isIPv6(from) ? ['TCP6', '::1'] : ['TCP4', '127.0.0.1']
  return `PROXY ${family} ${from} ${to} ${localPort} ${remotePort}\r\n`
}

async function secure(socket: net.Socket, options: tls.ConnectionOptions): Promise<tls.TLSSocket> {
  const rejectUnauthorized = options.ca !== undefined
  const secured = tls.connect({
    socket,
    rejectUnauthorized,
    servername: 'relay.example',
    ...options,
  })
  await once(secured, 'secureConnect')
  return secured
}

function closedError(cause?: Error): Error {
  return new Error(`the connection has ended${cause ? `: ${cause.message}` : ''}`, { cause })
}
