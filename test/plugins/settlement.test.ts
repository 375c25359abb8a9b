import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Transaction } from '../../plugins/haraka'
import { mayBeTaken } from '../../plugins/settlement'

/** A transaction with these answers to RCPT, and what stands in `rcpt_to` at its end. */
function transactionOf(
  answers: readonly (readonly [address: string, action: string])[],
  left: readonly string[],
  end: Partial<Transaction> = { data_post_start: 1, msg_status: 'accepted' },
): Transaction & { formatted: number } {
  const transaction = {
    ...end,
    formatted: 0,
    rcpt_to: left.map((address) => ({
      format: () => {
        transaction.formatted++
        return `<${address}>`
      },
    })),
    results: {
      get: () => ({ recipient: answers.map(([address, action]) => ({ address, action })) }),
    },
  }
  return transaction as unknown as Transaction & { formatted: number }
}

/** Which of the recipients, by their place among the RCPT commands, may have been taken. */
function taken(transaction: Transaction, ranks: readonly number[]): boolean[] {
  const wasTaken = mayBeTaken(transaction)
  return ranks.map((rank) =>
    wasTaken({
      tenant: 'contoso',
      meter: 'unregistered',
      ordinal: rank + 1,
      rank,
      state: 'counted',
      passes: true,
      sender: SENDER,
      signatures: [],
    }),
  )
}

const SENDER = { domain: '', connector: '', ip: '' }

const TWO = [
  ['a@far.example', 'accept'],
  ['b@far.example', 'accept'],
] as const

describe('a recipient', () => {
  it('is taken with its message, and not before the end of DATA', () => {
    const left = ['a@far.example', 'b@far.example']
    assert.deepEqual(taken(transactionOf(TWO, left), [0, 1]), [true, true])
    assert.deepEqual(taken(transactionOf(TWO, left, { data_post_start: 1 }), [0, 1]), [true, true])
    assert.deepEqual(taken(transactionOf(TWO, left, {}), [0, 1]), [false, false])
    for (const msg_status of ['rejected', 'deferred']) {
      const refused = transactionOf(TWO, left, { data_post_start: 1, msg_status })
      assert.deepEqual(taken(refused, [0, 1]), [false, false], msg_status)
    }
  })

  it('is not taken where RCPT was refused, or it was taken out', () => {
    const answers = [['x@far.example', 'reject'], ...TWO, ['y@far.example', 'tempfail']] as const
    const transaction = transactionOf(answers, ['b@far.example'])
    assert.deepEqual(taken(transaction, [0, 1, 2, 3]), [false, false, true, false])
  })

  it('may be taken where others were put in, or nothing is known of it', () => {
    const replaced = transactionOf(TWO, ['elsewhere@far.example'])
    assert.deepEqual(taken(replaced, [0, 1, 2]), [true, true, true])
    // What was for the one goes to the other, who gets it twice.
    const redirected = transactionOf(TWO, ['b@far.example', 'b@far.example'])
    assert.deepEqual(taken(redirected, [0, 1]), [true, true])
  })

  it('costs no look at all the others: a message may have thousands', () => {
    const answers = Array.from(
      { length: 1000 },
      (_, at) => [`${at}@far.example`, 'accept'] as const,
    )
    const ranks = answers.map((_, at) => at)
    const addresses = answers.map(([address]) => address)
    const whole = transactionOf(answers, addresses)
    assert.ok(taken(whole, ranks).every(Boolean))
    assert.equal(whole.formatted, 0)

    const without = transactionOf(answers, addresses.slice(1))
    assert.deepEqual(taken(without, ranks).indexOf(true), 1)
    assert.equal(without.formatted, 999)
  })
})
