import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { KnownClass } from '../../src/mail/classes'
import { MINUTE } from '../../src/reporting/calendar'
import { paceOf } from '../../src/reporting/pace'
import { OTHER } from '../../src/reporting/rows'
import { countsOf, type Mail } from '../support/reports'

const MINUTE_BEFORE = 1000 * MINUTE
const THIS_MINUTE = MINUTE_BEFORE + MINUTE
/** A quarter of this minute has passed. */
const NOW = THIS_MINUTE + MINUTE / 4

function row(mail: Mail & { connector?: string; class?: KnownClass }) {
  const { at, class: of = 'unregistered', connector = 'contoso/web' } = mail
  return { at, class: of, connector, counts: countsOf(mail) }
}

describe('the pace of a tenant', () => {
  it('counts this minute, and of the one before the part within the last 60 seconds', () => {
    const rows = [
      row({ at: MINUTE_BEFORE - MINUTE, accepted: 1000 }),
      row({ at: MINUTE_BEFORE, accepted: 40 }),
      row({ at: THIS_MINUTE, accepted: 5 }),
    ]
    assert.equal(paceOf(rows, NOW).unregistered, 5 + 30)
  })

  it('counts refused recipients, a message refused at MAIL as one, and no deferred ones', () => {
    const rows = [
      row({ at: THIS_MINUTE, accepted: 3, refused: 2, deferred: 9 }),
      row({ at: THIS_MINUTE, connector: 'contoso/mx', messages: { refused: 4 } }),
    ]
    const { unregistered, refused } = paceOf(rows, NOW)
    assert.deepEqual({ unregistered, refused }, { unregistered: 9, refused: 6 })
  })

  it('counts foreign mail, which the same meter counts, and no other', () => {
    const rows = (['foreign', 'registered', 'forwarded', 'null'] as const).map((of) =>
      row({ at: THIS_MINUTE, class: of, accepted: 1 }),
    )
    assert.equal(paceOf(rows, NOW).unregistered, 1)
  })

  it('names the connector with most of the mail, the others together only where there is no other', () => {
    const rows = [
      row({ at: THIS_MINUTE, connector: OTHER, accepted: 90 }),
      row({ at: THIS_MINUTE, connector: 'contoso/web', accepted: 2 }),
      row({ at: THIS_MINUTE, connector: 'contoso/mx', accepted: 3 }),
    ]
    assert.equal(paceOf(rows, NOW).connector, 'contoso/mx')
    assert.equal(paceOf(rows.slice(0, 1), NOW).connector, OTHER)
    assert.deepEqual(paceOf([], NOW), { unregistered: 0, refused: 0, connector: undefined })
  })
})
