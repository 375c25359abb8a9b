import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { ChargeResult } from '../../src/allowance/charge-answer'
import { outcomeOf, passesUncounted } from '../../src/decision/outcome'
import { formatReply } from '../../src/decision/reply'
import { configWith, snapshotWith } from '../support/judgement'

const BLOCKED =
  '550 5.7.750 Service unavailable. Client blocked from sending from unregistered domains'

const CASES: readonly (readonly [ChargeResult['answer'], string, string, string | undefined])[] = [
  ['CHARGED', 'pass', 'allowance', undefined],
  ['REGISTERED', 'pass', 'registered', undefined],
  ['OFF', 'pass', 'off', undefined],
  ['TRIPPED', 'refuse', 'tripped', BLOCKED],
  ['RESTRICTED', 'refuse', 'restricted', BLOCKED],
  ['ZERO', 'refuse', 'restricted', BLOCKED],
  [
    'DEFER',
    'tempfail',
    'deferred',
    '451 4.7.1 Too many recipients from unregistered domains. Try again later',
  ],
  [
    'FULL',
    'tempfail',
    'deferred',
    '451 4.7.1 Too many recipients from the null sender. Try again later',
  ],
  [
    'EXPIRED',
    'tempfail',
    'undecidable',
    '451 4.3.0 Service temporarily unavailable. Try again later',
  ],
  ['GONE', 'tempfail', 'undecidable', '451 4.3.0 Service temporarily unavailable. Try again later'],
]

describe('outcomeOf', () => {
  for (const [answer, verdict, token, reply] of CASES) {
    it(`${answer}: ${verdict}, ${reply ?? 'no reply'}`, () => {
      const outcome = outcomeOf(
        { answer, scope: 'unregistered', case: 'contoso:1' },
        answer === 'FULL' ? 'null' : 'unregistered',
        configWith(),
      )
      assert.equal(outcome.verdict, verdict)
      assert.equal(outcome.token, token)
      assert.equal(outcome.reply && formatReply(outcome.reply), reply)
    })
  }

  it('RESTRICTED with scope all has its own reply', () => {
    const { verdict, reply } = outcomeOf(
      { answer: 'RESTRICTED', scope: 'all', case: 'contoso:1' },
      'unregistered',
      configWith(),
    )
    assert.equal(verdict, 'refuse')
    assert.equal(
      reply && formatReply(reply),
      '550 5.7.705 Access denied, tenant has exceeded threshold',
    )
  })

  it('names the case after the exact text with [reply] case=true', () => {
    const config = configWith({ reply: { case: 'true' } })
    const replyTo = (answer: ChargeResult['answer'], openedCase: string): string | undefined => {
      const { reply } = outcomeOf(
        { answer, scope: 'unregistered', case: openedCase },
        'unregistered',
        config,
      )
      return reply && formatReply(reply)
    }
    assert.equal(replyTo('RESTRICTED', 'contoso:3'), `${BLOCKED} (case contoso:3)`)
    assert.equal(replyTo('TRIPPED', 'contoso:3'), `${BLOCKED} (case contoso:3)`)
    // A restriction that is older than cases, and a refusal without a restriction.
    assert.equal(replyTo('RESTRICTED', ''), BLOCKED)
    assert.equal(replyTo('ZERO', ''), BLOCKED)
  })
})

describe('a recipient that could not be counted', () => {
  it('gets a 451 in enforce', () => {
    assert.equal(passesUncounted(snapshotWith(), configWith()), false)
    const monitored = configWith({ main: { mode: 'monitor' } })
    assert.equal(passesUncounted(snapshotWith({ mode: 'enforce' }), monitored), false)
  })

  it('passes where nothing is refused, and with [outage] unregistered=accept', () => {
    assert.equal(passesUncounted(snapshotWith({ mode: 'monitor' }), configWith()), true)
    const overridden = configWith({ main: { override: 'monitor' } })
    assert.equal(passesUncounted(snapshotWith({ mode: 'enforce' }), overridden), true)
    const accepting = configWith({ outage: { unregistered: 'accept' } })
    assert.equal(passesUncounted(snapshotWith(), accepting), true)
  })
})
