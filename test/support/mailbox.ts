import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { startHaraka, waitFor, type TestHaraka } from '.'

/** A message that a remote server has accepted. */
export interface Arrived {
  /** Empty for the null sender. */
  readonly mailFrom: string
  readonly rcptTo: readonly string[]
  /** By lower-case name, unfolded. */
  readonly headers: ReadonlyMap<string, string>
  /** The client's address and EHLO name. */
  readonly ip: string
  readonly helo: string
  /** Decoded. */
  readonly body: string
  /** As received. */
  readonly raw: string
}

const FILE = 'mailbox.jsonl'

/** A real server for the mail that a Haraka delivers by itself; it accepts and keeps all mail. */
export class Mailbox {
  private constructor(private readonly haraka: TestHaraka) {}

  static async start(): Promise<Mailbox> {
    const haraka = await startHaraka({
      plugins: ['mailbox'],
      localPlugins: { mailbox: source },
      relayFrom: [],
    })
    return new Mailbox(haraka)
  }

  /** A plugin of a site, `route`, that delivers all its mail here. */
  get route(): string {
    return `exports.hook_get_mx = (next) =>
      next(OK, { priority: 0, exchange: '127.0.0.1', port: ${this.haraka.port} })`
  }

  get port(): number {
    return this.haraka.port
  }

  messages(): Arrived[] {
    const file = path.join(this.haraka.dir, FILE)
    if (!existsSync(file)) return []
    const lines = readFileSync(file, 'utf8').split('\n').slice(0, -1)
    return lines.map((line) => read(JSON.parse(line) as Written))
  }

  /** The messages to an address. */
  to(address: string): Arrived[] {
    return this.messages().filter(({ rcptTo }) => rcptTo.includes(address))
  }

  /** Waits for a message to that address with that subject. */
  waitFor(address: string, subject: string | RegExp, timeout?: number): Promise<Arrived> {
    const fits = (found = ''): boolean =>
      typeof subject === 'string' ? found === subject : subject.test(found)
    return waitFor(() => this.to(address).find(({ headers }) => fits(headers.get('subject'))), {
      what: `${String(subject)}, for ${address}`,
      ...(timeout && { timeout }),
    })
  }

  stop(): Promise<void> {
    return this.haraka.stop()
  }
}

interface Written {
  readonly mailFrom: string
  readonly rcptTo: string[]
  readonly ip: string
  readonly helo: string
  readonly raw: string
}

function read(written: Written): Arrived {
  const [head = '', ...rest] = written.raw.split('\r\n\r\n')
  const lines = head.replace(/\r\n[ \t]+/g, ' ').split('\r\n')
  const headers = new Map(
    lines.map((line) => {
      const colon = line.indexOf(':')
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()] as const
    }),
  )
  const body = rest.join('\r\n\r\n')
  return { ...written, headers, body: decode(body, headers.get('content-transfer-encoding')) }
}

function decode(body: string, encoding: string | undefined): string {
  const plain =
    encoding === 'quoted-printable'
      ? body
          .replace(/=\r\n/g, '')
          .replace(/=([\dA-F]{2})/g, (_all, hex: string) => String.fromCharCode(parseInt(hex, 16)))
      : body
  const octets = Buffer.from(plain, encoding === 'base64' ? 'base64' : 'latin1')
  return octets.toString('utf8').replaceAll('\r\n', '\n')
}

// Runs inside Haraka: plain JavaScript, see Haraka's docs/Plugins.md.
const source = `
'use strict'
const fs = require('node:fs')
const path = require('node:path')
const address = (a) => String(typeof a.address === 'function' ? a.address() : a.address)

exports.hook_lookup_rdns = (next) => next(OK, 'client.example')
exports.hook_rcpt = (next) => next(OK)
exports.hook_queue = (next, { transaction, remote, hello }) => {
  transaction.message_stream.get_data((raw) => {
    const message = {
      mailFrom: transaction.mail_from.isNull() ? '' : address(transaction.mail_from),
      rcptTo: transaction.rcpt_to.map(address),
      ip: remote.ip,
      helo: hello.host,
      raw: raw.toString('latin1'),
    }
    fs.appendFileSync(path.join(process.env.HARAKA, '${FILE}'), JSON.stringify(message) + '\\n')
    next(OK)
  })
}
`
