import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { REPLY } from '../support/replies'
import type { Evidence } from './evidence'
import { newHistory, type Exchange, type History, type Transaction } from './history'
import { broken } from './invariants'

const WORKER = 101
const OK = '250 fine\r\n'

/** A small faultless run, for a test to change. */
class Story {
  readonly history: History = newHistory({ contoso: { unregistered: 3, null: 3 } })
  private clock = 0

  /** A session with one transaction to two recipients. */
  transaction(id: string, more: Partial<Transaction> = {}): Transaction {
    const exchanges = [this.exchange('CONNECT'), this.exchange('EHLO')]
    const mail = this.exchange('MAIL')
    const rcpts = [this.exchange('RCPT'), this.exchange('RCPT')]
    const transaction: Transaction = {
      ...{ id, tenant: 'contoso', sender: 'unregistered', mail, rcpts, sink: 'take' },
      ...{ ending: 'accepted', endedAt: this.clock },
      ...more,
    }
    exchanges.push(transaction.mail, ...transaction.rcpts)
    const transactions = [transaction]
    this.history.sessions.push({ tenant: 'contoso', pid: WORKER, exchanges, transactions })
    return transaction
  }

  exchange(verb: Exchange['verb'], reply = OK): Exchange {
    this.clock += 10
    return { verb, sent: this.clock - 5, answered: this.clock, reply }
  }

  act(act: 'block' | 'unblock'): void {
    this.clock += 10
    this.history.acts.push({ act, tenant: 'contoso', from: this.clock - 5, to: this.clock })
  }

  /** The next time of the run. */
  wait(ms: number): number {
    this.clock += ms
    return this.clock
  }
}

/** The state of the site after these transactions were delivered to two recipients each. */
function evidence(ids: readonly string[], counted: Record<string, number> = {}): Evidence {
  const counts = { ...Object.fromEntries(ids.map((id) => [id, 2])), ...counted }
  const charged = Object.entries(counts).map(([id, count]) => {
    const each = { generation: 'one', meter: 'unregistered' } as const
    return [id, Array<typeof each>(count).fill(each)] as const
  })
  const used = Object.values(counts).reduce((sum, count) => sum + count, 0)
  const contoso = {
    ...{ charged: new Map(charged), generation: 'one', used: usedOf(used) },
    ...{ held: [], restricted: false, trippedAt: undefined, indexed: false },
  }
  return {
    ...{ log: '', books: { contoso }, begun: [WORKER, 102], running: [WORKER, 102] },
    delivered: ids.map((uuid) => ({
      ...{ hook: 'queue_outbound', uuid, mailFrom: 'x', subject: '', note: null, pid: WORKER },
      rcptTo: ['a', 'b'],
    })),
  }
}

function usedOf(unregistered: number) {
  return { unregistered, forwarded: 0, null: 0 }
}

/** The names of the broken rules. */
function rules(story: Story, shown: Evidence): string[] {
  return Object.keys(broken(story.history, shown))
}

describe('the rules', () => {
  it('find nothing in a faultless run', () => {
    const story = new Story()
    story.transaction('A.1')
    story.transaction('B.1', { ending: 'returned' })
    assert.deepEqual(broken(story.history, evidence(['A.1'])), {})
  })

  it('find recipients past the limit', () => {
    const story = new Story()
    story.transaction('A.1')
    story.transaction('B.1')
    assert.deepEqual(rules(story, evidence(['A.1', 'B.1'])), [
      'R1: never over, as clients see it',
      'R1: never over, as Redis has counted it',
    ])
  })

  it('find a recipient that was accepted and not counted, and one that was counted and not accepted', () => {
    const story = new Story()
    story.transaction('A.1')
    assert.deepEqual(rules(story, evidence(['A.1'], { 'A.1': 1 })), [
      'R4: what was accepted is counted, to the recipient',
    ])
    story.transaction('B.1', { ending: 'returned' })
    assert.deepEqual(rules(story, evidence(['A.1'], { 'B.1': 1 })), [
      'R4: what was not accepted is not counted',
    ])
  })

  it('allow only a killed worker to leave open charges', () => {
    const story = new Story()
    story.transaction('A.1', { ending: 'broken' })
    const held = evidence([], { 'A.1': 2 })
    assert.deepEqual(rules(story, held), ['R4: what was not accepted is not counted'])
    story.history.kills.push({ pid: WORKER, at: story.wait(1) })
    const begun = [WORKER, 102, 103]
    const log = 'worker 1 killed by signal SIGKILL'
    assert.deepEqual(rules(story, { ...held, begun, log }), [])
    assert.deepEqual(rules(story, { ...held, begun, log: `${log}\n${log}` }), [
      'R6: no worker dies by itself',
    ])
  })

  it('find a hold that remains, unless its worker was killed', () => {
    const story = new Story()
    story.transaction('A.1', { ending: 'returned' })
    const shown = evidence([])
    const contoso = { ...shown.books['contoso']!, held: ['A.1'] }
    const held = { ...shown, books: { contoso } }
    assert.deepEqual(rules(story, held), ['R4: nothing is held once its message has ended'])
    story.history.kills.push({ pid: WORKER, at: story.wait(1) })
    const begun = [WORKER, 102, 103]
    const log = 'worker 1 killed by signal SIGKILL'
    assert.deepEqual(rules(story, { ...held, begun, log }), [])
  })

  it('find what is counted without a transaction, or twice', () => {
    const story = new Story()
    const shown = evidence([], { 'Z.1': 1 })
    assert.deepEqual(rules(story, shown), ['R4: nothing else is counted'])
    const twice = evidence([])
    const contoso = { ...twice.books['contoso']!, used: usedOf(1) }
    assert.deepEqual(rules(story, { ...twice, books: { contoso } }), [
      'R4: the windows hold what the receipts say',
    ])
  })

  it('find registered mail that is refused or delayed, where the worker has the tenant', () => {
    const story = new Story()
    story.transaction('A.1', { sender: 'registered' })
    const { mail } = story.transaction('B.1', {
      ...{ sender: 'registered', ending: 'returned', rcpts: [] },
      mail: story.exchange('MAIL', REPLY.undecidable),
    })
    // Trouble is not an excuse then.
    story.history.troubles.push({ from: 0, to: story.wait(1) })
    const shown = evidence(['A.1'], { 'A.1': 0 })
    assert.deepEqual(rules(story, shown), ['R2: registered mail is neither refused nor deferred'])
    Object.assign(mail, { reply: OK, answered: mail.sent + 950 })
    assert.deepEqual(rules(story, shown), ['R2: registered mail does not wait'])
    story.history.stalls.push({ pid: WORKER, from: mail.sent, to: mail.sent + 900 })
    assert.deepEqual(rules(story, shown), [])
  })

  it('find accepted mail of a restricted tenant, until it is unblocked', () => {
    const story = new Story()
    story.act('block')
    const ended = { ...evidence(['A.1']) }
    story.transaction('A.1')
    assert.deepEqual(rules(story, ended), [
      'R3: a restriction holds until a person lifts it',
      'R3: Redis holds the restriction in the end',
    ])
    const lifted = new Story()
    lifted.act('block')
    lifted.act('unblock')
    lifted.transaction('A.1')
    assert.deepEqual(rules(lifted, ended), [])
  })

  it('infer a restriction only from a refusal by a worker that had seen the lift', () => {
    const refused = (story: Story, id: string) =>
      story.transaction(id, {
        ...{ ending: 'returned', rcpts: [] },
        mail: story.exchange('MAIL', REPLY.blocked),
      })
    const story = new Story()
    story.act('block')
    story.act('unblock')
    refused(story, 'A.1')
    const { rcpts } = story.transaction('B.1')
    rcpts.pop()
    const delivered = evidence(['B.1'], { 'B.1': 1 }).delivered.map((message) => {
      return { ...message, rcptTo: ['a'] }
    })
    const shown = { ...evidence([], { 'B.1': 1 }), delivered }
    assert.deepEqual(rules(story, shown), [])
    refused(story, 'C.1')
    assert.deepEqual(rules(story, shown), ['R3: Redis holds the restriction in the end'])
  })

  it('hold a restriction that Redis has lost against every worker that knew it', () => {
    const story = new Story()
    story.transaction('A.1', { ending: 'returned', rcpts: [] })
    const from = story.wait(1)
    story.act('block')
    const killed = story.wait(1)
    story.history.returns.push({ from, killed, to: story.wait(1) })
    story.transaction('B.1')
    const shown = evidence(['B.1'])
    assert.deepEqual(rules(story, shown), [
      'R3: a restriction holds until a person lifts it',
      'R3: Redis holds the restriction in the end',
    ])
    // It was killed before the restriction was put back, and no other worker knew it.
    story.history.kills.push({ pid: WORKER, at: killed })
    const begun = [WORKER, 102, 103]
    const log = 'worker 1 killed by signal SIGKILL'
    assert.deepEqual(rules(story, { ...shown, begun, log }), [])
  })

  it('allow recipients past the limit only where Redis has lost as many', () => {
    const story = new Story()
    const from = story.wait(1)
    story.transaction('A.1')
    const killed = story.wait(1)
    story.history.returns.push({ from, killed, to: story.wait(1) })
    story.transaction('B.1')
    const lost = { 'A.1': 0 }
    assert.deepEqual(rules(story, evidence(['A.1', 'B.1'], lost)), [])
    story.transaction('C.1')
    assert.deepEqual(rules(story, evidence(['A.1', 'B.1', 'C.1'], lost)), [
      'R1: never over, as clients see it',
      'R1: never over, as Redis has counted it',
    ])
  })

  it('find a late greeting, a missing reply, and a 451 without trouble', () => {
    const story = new Story()
    story.transaction('A.1')
    const [session] = story.history.sessions
    session!.exchanges[0]!.answered = session!.exchanges[0]!.sent + 1001
    assert.deepEqual(rules(story, evidence(['A.1'])), ['every session is greeted at once'])
    session!.exchanges.splice(0, 1)
    session!.exchanges.push({ verb: 'QUIT', sent: story.wait(1) })
    assert.deepEqual(rules(story, evidence(['A.1'])), ['every command is answered'])
    session!.exchanges.pop()
    story.wait(10_000)
    const deferred = story.exchange('MAIL', REPLY.undecidable)
    story.transaction('B.1', { ending: 'returned', rcpts: [], mail: deferred })
    assert.deepEqual(rules(story, evidence(['A.1'])), ['R5: only trouble defers mail'])
  })

  it('find an exception in the log, and an extra worker', () => {
    const story = new Story()
    const shown = evidence([])
    assert.deepEqual(rules(story, { ...shown, log: 'Caught exception: x', running: [1, 2, 3] }), [
      'two workers are left',
      'R6: nothing was thrown',
    ])
  })
})
