import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Pace } from '../../../plugins/outbound/pace'

describe('the pace of held mail', () => {
  it('brings many back after the wait, apart from each other, and never before the last one', () => {
    const pace = new Pace(45_000, 2)
    const due = Array.from({ length: 1000 }, () => 1_000_000 + pace.next(1_000_000))
    assert.equal(due[0], 1_045_000)
    assert.equal(due[999], 1_045_000 + 999 * 2)
    assert.deepEqual(
      due,
      due.toSorted((a, b) => a - b),
    )
    // All of them are through.
    assert.equal(pace.next(2_000_000), 45_000)
  })
})
