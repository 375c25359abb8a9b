import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import type { TestHaraka } from '../../scripts/services/haraka'
import type { SmtpClient } from '../../scripts/services/smtp'
import { waitFor } from '../../scripts/services/wait-for'

/** `transaction.notes.unregistered_domain` */
export interface Note {
  tenant: string
  connector: string | null
  class: string | null
}

/** The plugin's entries in the results store of one transaction. */
export interface Results {
  pass?: string[]
  fail?: string[]
  skip?: string[]
  err?: string[]
  tenant?: string
  connector?: string
  domain?: string
}

/** For `localPlugins` of startHaraka(); to run, its name must be in `plugins` too. */
export const observer = {
  name: 'test_observer',
  /** Runs inside Haraka. Our plugin's reset_transaction hook runs before this one. */
  source: `
    const fs = require('node:fs')
    // A method in Haraka 3.1.
    const address = (a) => String(typeof a.address === 'function' ? a.address() : a.address)
    exports.register = function () {
      this.register_hook('reset_transaction', 'observe', 100)
    }
    exports.observe = function (next, { transaction }) {
      if (transaction) {
        const sender = transaction.mail_from
        const line = {
          from: sender.isNull() ? '' : address(sender),
          results: transaction.results.get('unregistered-domain') ?? null,
        }
        fs.appendFileSync(process.env.HARAKA + '/observed.jsonl', JSON.stringify(line) + '\\n')
      }
      next()
    }`,
}

/**
 * Waits for the end of a transaction with this sender (and of this tenant, where several have it),
 * and returns the plugin's entries of its results store.
 */
export async function resultsOf(
  host: TestHaraka,
  from: string,
  tenant?: string,
): Promise<Results | null> {
  const file = path.join(host.dir, 'observed.jsonl')
  const found = await waitFor(
    () => {
      if (!existsSync(file)) return undefined
      const lines = readFileSync(file, 'utf8').split('\n').slice(0, -1)
      return lines
        .map((line) => JSON.parse(line) as { from: string; results: Results | null })
        .findLast((line) => line.from === from && (!tenant || line.results?.tenant === tenant))
    },
    { what: `the end of a transaction from ${from}` },
  )
  return found.results
}

let probes = 0

/**
 * Sends a message in an open session; returns the plugin's note, or null. Counts like any other message.
 *
 * @throws AssertionError when the message was not accepted
 */
export async function noteOf(
  host: TestHaraka,
  client: SmtpClient,
  { from = 'probe@unregistered.example', to = 'probe@far.example' } = {},
): Promise<Note | null> {
  const subject = `note ${++probes}`
  const sent = await client.send({ from, to, subject, headers: { 'X-Sink': 'probe' } })
  assert.ok(sent.delivered, String(sent.last))
  const probe = host.sink.probes().find((message) => message.subject === subject)
  return (probe?.note as Note | undefined) ?? null
}
