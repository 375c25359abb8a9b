import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import constants from 'haraka-constants'
import { guarded, type Answer } from '../../../plugins/kit/guard'
import type { Connection } from '../../../plugins/kit/haraka'
import { REPLIES } from '../../../src/decision/reply'

const CONNECTION = {} as Connection

/** What the hook tells Haraka, how often, and what the guard was told of it. */
function run(
  hook: () => Answer | Promise<Answer>,
  { onFailure = (): Answer => REPLIES.undecidable, next = () => {} } = {},
) {
  const told: unknown[][] = []
  const failures: unknown[] = []
  guarded(hook, (error) => {
    failures.push(error)
    return onFailure()
  })(
    (...args) => {
      told.push(args)
      next()
    },
    CONNECTION,
    undefined,
  )
  return { told, failures }
}

/** Lets everything that is settled run: no timer, no time. */
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

describe('a guarded hook', () => {
  it('answers at once where nothing is awaited', () => {
    assert.deepEqual(run(() => undefined).told, [[]])
    const [code, dsn] = run(() => REPLIES.blocked).told[0] ?? []
    assert.equal(code, constants.deny)
    assert.equal((dsn as { code: number }).code, 550)
    assert.deepEqual(run(() => 'ok').told, [[constants.ok]])
  })

  it('answers a promise when it resolves', async () => {
    const { told } = run(() => Promise.resolve(REPLIES.deferred))
    assert.equal(told.length, 0)
    await settled()
    assert.equal(told.length, 1)
    const [code, dsn] = told[0] ?? []
    assert.equal(code, constants.denysoft)
    // A 451 needs the object: Haraka makes 450 of anything else.
    assert.equal((dsn as { code: number }).code, 451)
  })

  const failing: [string, () => Answer | Promise<Answer>][] = [
    [
      'throws',
      () => {
        throw new Error('ours')
      },
    ],
    ['rejects', () => Promise.reject(new Error('ours'))],
  ]
  for (const [what, hook] of failing) {
    it(`that ${what} gives the answer for failures, once`, async () => {
      for (const answer of [REPLIES.undecidable, undefined]) {
        const { told, failures } = run(hook, { onFailure: () => answer })
        await settled()
        assert.equal(failures.length, 1)
        assert.deepEqual(
          told.map(([code]) => code),
          [answer && constants.denysoft],
        )
      }
    })
  }

  it('answers once and leaves no rejection behind where Haraka throws at a late answer', async () => {
    const { told, failures } = run(() => Promise.resolve(undefined), {
      next: () => {
        throw new Error('theirs')
      },
    })
    // An unhandled rejection would fail this test file.
    await settled()
    assert.equal(told.length, 1)
    assert.deepEqual(failures.map(String), ['Error: theirs'])
  })
})
