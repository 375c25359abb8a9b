import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { DAY, HOUR } from '../../src/reporting/calendar'
import type { DatedRow } from '../../src/reporting/reader'
import { OTHER } from '../../src/reporting/rows'
import { attempts, messages, recipients, sumBy, total } from '../../src/reporting/sum'
import { countsOf, sourceOf, type Mail } from '../support/reports'

function row(mail: Mail): DatedRow {
  return { class: 'unregistered', ...sourceOf(mail), at: mail.at, counts: countsOf(mail) }
}

describe('sumBy', () => {
  it('adds up all kinds of counts, and keeps the first and last time', () => {
    const rows = [
      row({ at: 5, accepted: 1, deferred: 2, refused: 3, refunded: 4, messages: { refused: 1 } }),
      row({ at: 9, accepted: 10, deferred: 20, refused: 30, refunded: 40 }),
    ]
    const counts = {
      accepted: 11,
      deferred: 22,
      refused: 33,
      refunded: 44,
      messages: { accepted: 11, deferred: 22, refused: 31, refunded: 44 },
      firstSeen: 5,
      lastSeen: 9,
    }
    assert.deepEqual(sumBy(rows, 'domain'), [{ key: 'lure.example', counts }])
    assert.deepEqual(total(rows), counts)
    assert.equal(recipients(counts), 110)
    assert.equal(messages(counts), 108)
    assert.equal(attempts(counts), 88)
  })

  it('counts a message refused at MAIL as one recipient', () => {
    const refused = countsOf({ at: 1, messages: { refused: 7 } })
    assert.deepEqual([recipients(refused), attempts(refused)], [0, 7])
    assert.equal(attempts(countsOf({ at: 1, deferred: 9 })), 0)
  })

  it('puts the most recipients of any outcome first, and (other) last', () => {
    const rows = [
      row({ at: 1, domain: 'a.example', accepted: 2 }),
      row({ at: 1, domain: OTHER, accepted: 99 }),
      row({ at: 1, domain: 'c.example', refused: 7 }),
      row({ at: 1, domain: 'b.example', accepted: 2 }),
    ]
    assert.deepEqual(
      sumBy(rows, 'domain').map(({ key }) => key),
      ['c.example', 'a.example', 'b.example', OTHER],
    )
  })

  it('puts days and hours in their order, and hours into their days', () => {
    const rows = [3 * DAY + HOUR, 3 * DAY, 2 * DAY + 23 * HOUR].map((at) =>
      row({ at, accepted: 1 }),
    )
    const summed = (dimension: 'day' | 'hour'): [number, number][] =>
      sumBy(rows, dimension).map(({ key, counts }) => [key, counts.accepted])
    assert.deepEqual(summed('day'), [
      [2 * DAY, 1],
      [3 * DAY, 2],
    ])
    assert.deepEqual(summed('hour'), [
      [2 * DAY + 23 * HOUR, 1],
      [3 * DAY, 1],
      [3 * DAY + HOUR, 1],
    ])
  })

  it('of no rows is nothing', () => {
    assert.deepEqual(sumBy([], 'ip'), [])
    assert.equal(recipients(total([])), 0)
  })
})
