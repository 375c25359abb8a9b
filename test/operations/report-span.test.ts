import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { rowSpanOf, spanOf, type SpanOptions } from '../../src/operations/report-span'
import { InputError } from '../../src/base/errors'

const NOW = Date.parse('2026-11-25T15:20:00Z')

function span(options: SpanOptions, kept = 90): string[] {
  const { from, to } = spanOf(options, NOW, kept)
  return [from, to].map((time) => new Date(time).toISOString().slice(0, 16))
}

describe('the span of a report', () => {
  it('is seven days including today, or as many as are kept', () => {
    assert.deepEqual(span({}), ['2026-11-19T00:00', '2026-11-26T00:00'])
    assert.deepEqual(span({}, 3), ['2026-11-23T00:00', '2026-11-26T00:00'])
    assert.deepEqual(span({ days: '1' }), ['2026-11-25T00:00', '2026-11-26T00:00'])
    assert.deepEqual(span({ days: '90' }), ['2026-08-28T00:00', '2026-11-26T00:00'])
  })

  it('goes from a day or a time to one, and includes the last day', () => {
    assert.deepEqual(span({ from: '2026-11-01', to: '2026-11-02' }), [
      '2026-11-01T00:00',
      '2026-11-03T00:00',
    ])
    assert.deepEqual(span({ from: '2026-11-24T10:00Z', to: '2026-11-24T12:30:00.5+01:00' }), [
      '2026-11-24T10:00',
      '2026-11-24T11:30',
    ])
    assert.deepEqual(span({ from: '2026-11-24' }), ['2026-11-24T00:00', '2026-11-26T00:00'])
    assert.deepEqual(span({ to: '2026-11-10' }), ['2026-11-04T00:00', '2026-11-11T00:00'])
    assert.deepEqual(span({ to: '2026-08-28' }), ['2026-08-27T00:00', '2026-08-29T00:00'])
  })

  for (const [options, problem] of [
    [{ days: '0' }, /--days "0" is not a whole number from 1 to 90/],
    [{ days: '91' }, /from 1 to 90/],
    [{ days: '1.5' }, /"1\.5"/],
    [{ days: '-1' }, /"-1"/],
    [{ days: '' }, /--days/],
    [{ days: '1', from: '2026-11-24' }, /without --from and --to/],
    [{ from: 'yesterday' }, /--from "yesterday" is not a day or time: write it as/],
    [{ from: '2026-11-24T10:00' }, /--from/],
    [{ from: '2026-02-30' }, /2026-02-30/],
    [{ from: '2026-13-01' }, /2026-13-01/],
    [{ from: '24.11.2026' }, /24\.11\.2026/],
    [{ to: '2026-11-24T25:00Z' }, /--to/],
    [{ from: '2026-11-24', to: '2026-11-23' }, /is not before/],
    [{ from: '2026-08-26' }, /kept for 90 days \(\[report\] days\), since 2026-08-27/],
  ] as const) {
    it(`refuses ${JSON.stringify(options)}`, () => {
      assert.throws(
        () => spanOf(options, NOW, 90),
        (error) => error instanceof InputError && problem.test(error.message),
      )
    })
  }

  it('is made of hours while they are kept, else of whole days', () => {
    const rows = (options: SpanOptions): [string, boolean] => {
      const { step, note, from, to } = rowSpanOf(spanOf(options, NOW, 90), NOW)
      const length = step === 'day' ? 86_400_000 : 60_000
      assert.deepEqual([from % length, to % length], [0, 0])
      return [step, note !== undefined]
    }
    assert.deepEqual(rows({ days: '90' }), ['day', false])
    assert.deepEqual(rows({ from: '2026-11-17T15:00Z' }), ['hour', false])
    assert.deepEqual(rows({ from: '2026-11-17T14:59Z' }), ['day', true])
  })
})
