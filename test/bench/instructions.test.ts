import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { instructionsIn } from '../../bench/callgrind'
import { rowsOf, type Count } from '../../bench/instructions'

describe('the count of callgrind', () => {
  it('is the sum of all threads', () => {
    const text = `PID 15647: node --single-threaded haraka.js

  Totals:        Ir 
   Th 1  31,664,411 
   Th 2         131 
   Th 3           0 

`
    assert.equal(instructionsIn(text), 31_664_542)
  })

  it('is an error where there is none', () => {
    const text = 'PID 15647: node\n  No information available as instrumentation is switched off.\n'
    assert.throws(() => instructionsIn(text), /switched off/)
  })
})

describe('the rows of instructions', () => {
  const level = 'info'
  const alone: Count = { what: 'Haraka alone', level, batches: [1_300_000, 800_000, 804_000] }
  const there = { level, against: '/srv/before' }
  const refusedThere: Count = { ...there, what: 'refused', batches: [202_000] }
  const rows = rowsOf([
    { ...alone, level: 'notice', batches: [700_000] },
    alone,
    { what: 'registered', level, batches: [900_000, 824_000.4, 824_900] },
    { ...there, what: 'registered', batches: [840_000, 841_000] },
    { what: 'refused', level, batches: [202_000] },
    refusedThere,
  ])

  it('have the least of the batches, next to Haraka alone at the same log level', () => {
    const { what, figure, detail } = rows[2]!
    assert.deepEqual([what, figure], ['registered, log level info', '1.030 ×'])
    assert.equal(detail, '824,000; the median of 3 batches 0.1 % more')
    assert.equal(rows[1]!.figure, '800,000')
  })

  it('show the other version next to Haraka alone, too', () => {
    assert.deepEqual(
      rows.map(({ before }) => before),
      [undefined, undefined, '1.050 ×', '0.253 ×', undefined, undefined],
    )
  })

  it('compare each kind of mail with its target and with the other version, and say which costs more', () => {
    const dearer = rowsOf([alone, { what: 'refused', level, batches: [204_000] }, refusedThere])
    const compared = [...rows, ...dearer].flatMap(({ what, figure, target }) =>
      target ? [[what, figure, target.met]] : [],
    )
    assert.deepEqual(compared, [
      ['registered, log level info', '1.030 ×', true],
      ['registered, against the other version, info', '0.981 ×', true],
      ['refused, against the other version, info', '1.000 ×', true],
      ['refused, against the other version, info', '1.010 ×', false],
    ])
  })

  it('compare counted mail of both versions with haraka-plugin-limit', () => {
    const what = 'unregistered, charged'
    const [row] = rowsOf([
      alone,
      { what, level, batches: [960_000] },
      { ...there, what, batches: [990_000] },
      { what: 'haraka-plugin-limit', level, batches: [900_000] },
    ]).filter((each) => each.what.includes('against haraka-plugin-limit'))
    assert.deepEqual([row?.figure, row?.before, row?.target?.met], ['1.067 ×', '1.100 ×', true])
  })
})
