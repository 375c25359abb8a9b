import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { Turns } from '../../src/message/turns'

const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })

describe('Turns', () => {
  it('selects exactly one in each group, for any random numbers', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 50 }),
        fc.array(random, { minLength: 5, maxLength: 5 }),
        (every, chances) => {
          let next = 0
          const turns = new Turns(every, () => chances[next++]!)
          for (let row = 0; row < chances.length; row++) {
            const selected = Array.from({ length: every }, () => turns.next()).filter(Boolean)
            assert.equal(selected.length, 1)
          }
          assert.equal(next, chances.length)
        },
      ),
    )
  })

  it('selects it at any place, so that a client cannot predict it', () => {
    const places = Array.from({ length: 20 }, (_, at) => {
      const turns = new Turns(20, () => at / 20)
      return Array.from({ length: 20 }, () => turns.next()).indexOf(true)
    })
    assert.deepEqual(new Set(places).size, 20)
  })
})
