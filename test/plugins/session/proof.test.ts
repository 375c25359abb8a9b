import assert from 'node:assert/strict'
import { PassThrough } from 'node:stream'
import { it } from 'node:test'
import type { HarakaTransaction } from '../../../plugins/kit/haraka'
import { proveForward } from '../../../plugins/session/proof'
import { Transaction } from '../../../plugins/session/transaction'
import { parseEnvelope } from '../../../src/names/envelope'
import type { Snapshot } from '../../../src/directory/snapshot'

const SNAPSHOT: Snapshot = {
  ...{ tenant: 'school', domainsToken: '', stateToken: '', mode: undefined },
  ...{ created: '1', settings: {} },
  ...{ restricted: undefined, restrictedBy: '', case: '', forwards: true, domains: new Map() },
}

it('the search for a proof ends when the client disconnects, not at its time limit', async () => {
  const message_stream = new PassThrough()
  const transaction = new Transaction({
    ...{ message_stream, data_bytes: 100, notes: {}, rcpt_to: [] },
    mail_from: parseEnvelope('x@bank.example'),
  } as unknown as HarakaTransaction)
  const proof = proveForward(transaction, SNAPSHOT, [])
  // It does not come to its end.
  message_stream.write('From: x@bank.example\r\n')
  assert.equal(message_stream.listenerCount('data'), 1)
  transaction.end()
  assert.equal(message_stream.listenerCount('data'), 0)
  // With the time over it would be `out of time`.
  const found = await proof
  assert.equal(found.kind === 'none' && found.reason, 'failed')
})
