import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { barChart, type Chart } from '../../src/console/kit/charts'
import { DAY, MINUTE } from '../../src/reporting/calendar'

const START = Date.UTC(2026, 10, 24)

async function textOf(chart: Chart): Promise<string> {
  return (await barChart(chart)).toString()
}

/** Two bars; series of their values. */
function charted(values: readonly (readonly number[])[], step = DAY): Promise<string> {
  return textOf({
    ...{ id: 'days', title: 'By day', unit: 'recipients', step },
    starts: [START, START + step],
    series: values.map((each, at) => ({ name: `<b>${at}`, values: each })),
  })
}

describe('a chart', () => {
  it('stacks its bars, the highest as high as the drawing', async () => {
    const text = await charted([
      [30, 0],
      [10, 20],
    ])
    const heights = [...text.matchAll(/class="series-(\d)"[^>]*height="([\d.]+)"/g)]
    assert.deepEqual(
      heights.map(([, series, height]) => [series, height]),
      [
        ['1', '120.0'],
        ['2', '40.0'],
        ['2', '80.0'],
      ],
    )
  })

  it('says in words what it shows, and has its numbers as a table', async () => {
    const text = await charted([[30, 7]])
    assert.match(text, /role="img"\s+aria-labelledby="days-title days-desc"/)
    assert.match(text, /2 bars, 37 recipients in all, at most 30 in one bar/)
    assert.match(text, /<title>2026-11-25: 7 recipients<\/title>/)
    assert.match(text, /2026-11-24(?:<\/\w+>)+<td class="number">30<\/td>/)
  })

  it('shows a part that is much smaller than the rest', async () => {
    assert.match(await charted([[1_000_000, 1]]), /height="1\.0"/)
  })

  it('names minutes in a way that a script can show in the zone of the reader', async () => {
    assert.match(await charted([[1, 2]], MINUTE), /<time datetime="2026-11-24T00:01:00.000Z">/)
  })

  it('has no bars where there is nothing, and needs neither style nor script', async () => {
    assert.doesNotMatch(await charted([[0, 0]]), /<rect|NaN|Infinity|style=|<b>/)
    const nothing = { id: 'x', title: 'x', unit: 'x', starts: [], step: DAY, series: [] }
    assert.match(await textOf(nothing), /No x\./)
  })
})
