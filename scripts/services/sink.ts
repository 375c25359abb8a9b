import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { waitFor } from './wait-for'

/** A message that Haraka passed to the sink. */
export interface DeliveredMessage {
  /** `queue` for mail to this server, `queue_outbound` for relayed mail. */
  hook: 'queue' | 'queue_outbound'
  /** Haraka's transaction uuid. */
  uuid: string
  /** Sender without angle brackets; empty for the null sender. */
  mailFrom: string
  rcptTo: string[]
  /** `transaction.notes.unregistered_domain` */
  note: unknown
  subject: string
  /** The Haraka process that accepted it. */
  pid: number
}

/**
 * The end of mail: a plugin of the scratch site that accepts and records every message.
 *
 * The header X-Sink of a message controls it: `refuse` answers 550, `defer` 450, and `hold` keeps the queue hook open
 * until `release(subject)`. With `pass` Haraka's own queue gets it. With `probe` the message is not a delivery: it
 * only shows the plugin's attribution of the session.
 */
export class Sink {
  /** Name of the plugin in config/plugins. */
  static readonly plugin = 'test_sink'

  constructor(private readonly site: string) {
    writeFileSync(path.join(site, 'plugins', `${Sink.plugin}.js`), source)
  }

  /** Delivered messages, in order. */
  messages(): DeliveredMessage[] {
    return readLines(path.join(this.site, FILE))
  }

  /** Messages with `X-Sink: probe`. */
  probes(): DeliveredMessage[] {
    return readLines(path.join(this.site, PROBES))
  }

  /** Waits for the first matching message. */
  waitFor(fits: (message: DeliveredMessage) => boolean): Promise<DeliveredMessage> {
    return waitFor(() => this.messages().find(fits), { what: `delivery: ${String(fits)}` })
  }

  /** Waits until a message with `X-Sink: hold` has come; its subject is its name. */
  async waitForHeld(subject: string): Promise<void> {
    const held = () => readLines<string>(path.join(this.site, HELD)).includes(subject)
    await waitFor(held, { what: `message ${subject} held by the sink` })
  }

  /** Lets the held messages of this subject go on. */
  release(subject: string): void {
    appendFileSync(path.join(this.site, RELEASED), `${JSON.stringify(subject)}\n`)
  }
}

const FILE = 'sink.jsonl'
const PROBES = 'sink-probes.jsonl'
const HELD = 'sink-held.jsonl'
const RELEASED = 'sink-released.jsonl'

function readLines<T>(file: string): T[] {
  if (!existsSync(file)) return []
  const lines = readFileSync(file, 'utf8').split('\n').slice(0, -1)
  return lines.map((line) => JSON.parse(line) as T)
}

// Runs inside Haraka: plain JavaScript, see Haraka's docs/Plugins.md.
const source = `
'use strict'
const fs = require('node:fs')
const path = require('node:path')

const file = (name) => path.join(process.env.HARAKA, name)
const append = (name, value) => fs.appendFileSync(file(name), JSON.stringify(value) + '\\n')
const address = (a) => String(typeof a.address === 'function' ? a.address() : a.address)

exports.register = function () {
  this.register_hook('queue', 'take_queue')
  this.register_hook('queue_outbound', 'take_queue_outbound')
  this.register_hook('lookup_rdns', 'name_client')
  this.timeout = 0
}

// Otherwise Haraka looks up the name of each client, and waits where DNS does not answer.
exports.name_client = (next) => next(OK, 'client.example')

exports.take_queue = (next, connection) => take('queue', next, connection)
exports.take_queue_outbound = (next, connection) => take('queue_outbound', next, connection)

function take(hook, next, { transaction }) {
  const header = (name) => transaction.header.get(name).trim()
  const subject = header('Subject')
  const message = {
    hook,
    uuid: transaction.uuid,
    mailFrom: transaction.mail_from.isNull() ? '' : address(transaction.mail_from),
    rcptTo: transaction.rcpt_to.map(address),
    note: transaction.notes.unregistered_domain,
    subject,
    pid: process.pid,
  }
  const deliver = () => {
    append('${FILE}', message)
    next(OK)
  }
  switch (header('X-Sink')) {
    case 'refuse':
      return next(DENY, 'The sink refuses this message')
    case 'defer':
      return next(DENYSOFT, 'The sink defers this message')
    case 'pass':
      return next()
    case 'probe':
      append('${PROBES}', message)
      return next(OK)
    case 'hold': {
      append('${HELD}', subject)
      const timer = setInterval(() => {
        const released = fs.existsSync(file('${RELEASED}')) && fs.readFileSync(file('${RELEASED}'), 'utf8')
        if (!released || !released.split('\\n').includes(JSON.stringify(subject))) return
        clearInterval(timer)
        deliver()
      }, 10)
      return
    }
    default:
      deliver()
  }
}
`
