import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { HarakaTransaction } from '../../../plugins/kit/haraka'
import { Recipients } from '../../../plugins/session/recipients'
import { compareRecipients, mayBeAccepted } from '../../../plugins/session/recipients'

type Recipient = HarakaTransaction['rcpt_to'][number]

/** What has been asked of an address counts: a message may have thousands of recipients. */
let formatted = 0

function recipient(address: string): Recipient {
  return {
    ...{ address, host: address.split('@')[1], isNull: () => false },
    format: () => {
      formatted++
      return `<${address}>`
    },
  }
}

/** A transaction with these answers to RCPT, and what stands in `rcpt_to` at its end. */
function transactionOf(
  answers: readonly (readonly [address: string, action: string])[],
  left: readonly Recipient[],
  end: Partial<HarakaTransaction> = { data_post_start: 1, msg_status: 'accepted' },
): HarakaTransaction {
  return {
    ...{ ...end, rcpt_to: left },
    results: {
      get: () => ({ recipient: answers.map(([address, action]) => ({ address, action })) }),
    },
  } as unknown as HarakaTransaction
}

/** Which of the recipients, in the order of their RCPT commands, may have been taken. */
function taken(transaction: HarakaTransaction, passed: readonly Recipient[]): boolean[] {
  const wasTaken = mayBeAccepted(transaction, compareRecipients(transaction, passed))
  return passed.map((each, rank) =>
    wasTaken({
      ...{ tenant: 'contoso', meter: 'unregistered', ordinal: rank + 1, recipient: each, rank },
      ...{ state: 'counted', passes: true, sender: SENDER, signatures: [] },
    }),
  )
}

const SENDER = { domain: '', connector: '', ip: '' }

const TWO = [
  ['a@far.example', 'accept'],
  ['b@far.example', 'accept'],
] as const
const [A, B] = [recipient('a@far.example'), recipient('b@far.example')]

describe('a recipient', () => {
  it('is accepted with its message, and not before the end of DATA', () => {
    const left = [A, B]
    assert.deepEqual(taken(transactionOf(TWO, left), left), [true, true])
    assert.deepEqual(taken(transactionOf(TWO, left, { data_post_start: 1 }), left), [true, true])
    assert.deepEqual(taken(transactionOf(TWO, left, {}), left), [false, false])
    for (const msg_status of ['rejected', 'deferred']) {
      const refused = transactionOf(TWO, left, { data_post_start: 1, msg_status })
      assert.deepEqual(taken(refused, left), [false, false], msg_status)
    }
  })

  it('is not accepted where RCPT was refused, or a plugin removed it', () => {
    const [x, y] = [recipient('x@far.example'), recipient('y@far.example')]
    const answers = [['x@far.example', 'reject'], ...TWO, ['y@far.example', 'tempfail']] as const
    const transaction = transactionOf(answers, [B])
    assert.deepEqual(taken(transaction, [x, A, B, y]), [false, false, true, false])
  })

  it('is accepted where another object has its address', () => {
    const transaction = transactionOf(TWO, [recipient('b@far.example')])
    assert.deepEqual(taken(transaction, [A, B]), [false, true])
  })

  it('may be accepted where others were added, or its answer is unknown', () => {
    const replaced = transactionOf(TWO, [recipient('elsewhere@far.example')])
    assert.deepEqual(taken(replaced, [A, B, recipient('c@far.example')]), [true, true, true])
    // What was for the one goes to the other, who gets it twice.
    const redirected = transactionOf(TWO, [recipient('b@far.example'), recipient('b@far.example')])
    assert.deepEqual(taken(redirected, [A, B]), [true, true])
    const refused = transactionOf([['a@far.example', 'reject']], [recipient('x@far.example')])
    assert.deepEqual(taken(refused, [A]), [false])
  })

  it('is found without comparing all others: a message may have thousands', () => {
    const all = Array.from({ length: 1000 }, (_, at) => recipient(`${at}@far.example`))
    const answers = all.map((_, at) => [`${at}@far.example`, 'accept'] as const)
    formatted = 0
    assert.ok(taken(transactionOf(answers, all), all).every(Boolean))
    assert.deepEqual(taken(transactionOf(answers, all.slice(1)), all).indexOf(true), 1)
    assert.equal(formatted, 0)
  })
})

describe('the recipients of a RCPT command', () => {
  const names = (list: readonly Recipient[]): string[] =>
    list.map((each) => String(each.address).split('@')[0]!)
  const of = (...users: string[]): Recipient[] =>
    users.map((user) => recipient(`${user}@far.example`))

  /** One command after the other: what stands in rcpt_to then, and what is answered. */
  class Commands {
    readonly answers: { address: string; action: string }[] = []
    readonly transaction = {
      rcpt_to: [],
      results: { get: () => ({ recipient: this.answers }) },
    } as unknown as HarakaTransaction
    readonly recipients = new Recipients(this.transaction, 0)

    /** A command that our rcpt_ok sees; what it lets through may be refused by others. */
    rcpt(users: readonly string[], action = 'accept', ours = 'pass'): string[] {
      this.transaction.rcpt_to.push(...of(...users))
      const group = this.recipients.ofThisCommand()
      if (ours === 'pass') this.recipients.pass(group)
      else this.recipients.takeOut(group)
      this.answer(ours === 'pass' ? action : 'reject')
      return names(group)
    }

    /** Haraka answers by the last one, and takes that out where it refuses. */
    answer(action = 'accept'): void {
      const { rcpt_to: all } = this.transaction
      this.answers.push({ address: String(all.at(-1)!.address), action })
      if (action !== 'accept') all.pop()
    }

    get left(): string[] {
      return names(this.transaction.rcpt_to)
    }
  }

  it('are all that came with it, also where an address is repeated', () => {
    const commands = new Commands()
    assert.deepEqual(commands.rcpt(['a']), ['a'])
    assert.deepEqual(commands.rcpt(['b', 'c']), ['b', 'c'])
    assert.deepEqual(commands.rcpt(['b', 'c']), ['b', 'c'])
    assert.deepEqual(commands.rcpt(['a']), ['a'])
  })

  it('are removed together where this plugin refuses, and where another plugin refuses later', () => {
    const commands = new Commands()
    commands.rcpt(['a'])
    assert.deepEqual(commands.rcpt(['b', 'c', 'd'], 'accept', 'refuse'), ['b', 'c', 'd'])
    assert.deepEqual(commands.left, ['a'])
    commands.rcpt(['e', 'f'], 'reject')
    assert.deepEqual(commands.left, ['a', 'e'])
    assert.deepEqual(commands.rcpt(['g']), ['g'])
    assert.deepEqual(commands.left, ['a', 'g'])
    commands.rcpt(['h'], 'tempfail')
    assert.deepEqual(commands.rcpt(['i']), ['i'])
    commands.rcpt(['j', 'k'], 'reject')
    commands.recipients.dropRefused()
    assert.deepEqual(commands.left, ['a', 'g', 'i'])
  })

  it('are not those that another plugin has accepted before, or added to those that passed', () => {
    const commands = new Commands()
    commands.transaction.rcpt_to.push(...of('x', 'y'))
    commands.answer()
    assert.deepEqual(commands.rcpt(['b', 'c']), ['b', 'c'])
    commands.transaction.rcpt_to.push(...of('a'))
    commands.recipients.pass(commands.recipients.ofThisCommand())
    commands.transaction.rcpt_to.push(...of('z'))
    commands.answer()
    assert.deepEqual(commands.rcpt(['b'], 'accept', 'refuse'), ['b'])
    assert.deepEqual(commands.left, ['x', 'y', 'b', 'c', 'a', 'z'])
  })
})
