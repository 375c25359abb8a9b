import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { Address } from 'address-rfc2821'

export interface QueueFileOptions {
  /** `undefined`: without a tenant. */
  readonly tenant: string | undefined
  readonly noted?: string
  readonly mailFrom?: string
  readonly rcptTo?: readonly string[]
  readonly arrived?: number
  readonly nextAttempt?: number
  readonly failures?: number
}

/** An attempt that was due so long ago has begun, in ms. */
const SETTLED = 10_000

let count = 0

/** Writes a message as in Haraka's queue (`outbound/index.js`, build_todo); returns the name of the file. */
export function queueFile(directory: string, options: QueueFileOptions): string {
  const { tenant, noted = 'unregistered', mailFrom = 'x@stranger.example' } = options
  const { rcptTo = ['a@far.example'], arrived = Date.now() - SETTLED, failures = 0 } = options
  const address = (text: string): Address => new Address(`<${text}>`)
  const note = { tenant, connector: `${tenant}/mx`, class: noted }
  const todo = {
    ...{ queue_time: arrived, domain: 'far.example', rcpt_to: rcptTo.map(address) },
    ...{ mail_from: address(mailFrom), uuid: `U${++count}` },
    notes: tenant === undefined ? {} : { unregistered_domain: note },
  }
  const text = Buffer.from(`\n${JSON.stringify(todo, null, '\t')}\n`)
  const length = Buffer.alloc(4)
  length.writeUInt32BE(text.length)
  const name = `${arrived}_${options.nextAttempt ?? arrived}_${failures}_4242_T${count}_${count}_mx`
  const message = Buffer.from('Subject: x\r\n\r\nhello\r\n')
  writeFileSync(path.join(directory, name), Buffer.concat([length, text, message]))
  return name
}
