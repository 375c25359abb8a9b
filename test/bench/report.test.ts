import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { describe, it } from 'node:test'
import { bars, lines, spread, type Picture } from '../../bench/chart'
import { toMarkdown, toTable, verdict, writePage, type Results } from '../../bench/report'
import { atLeast, atMost, skipped, type Row } from '../../bench/row'
import { targetTable, withTargets } from '../../bench/targets'
import { scratchDir } from '../support'

const ROWS: readonly Row[] = [
  { what: 'registered', figure: '1.020 ×', target: atMost(1.04, 1.02, ' ×'), detail: 'half | all' },
  { what: 'unregistered', figure: '1.200 ×', target: atMost(1.1, 1.2, ' ×') },
  skipped('redis-benchmark', 'is not installed'),
]

function resultsOf(rows: readonly Row[], pictures: readonly Picture[] = []): Results {
  return {
    ...{ command: 'npm run bench', startedAt: '2026-11-24T12:00:00.000Z', seconds: 12.3 },
    ...{ quick: true, machine: ['2 cores of Some CPU.'] },
    sections: [{ name: 'mail', title: 'CPU', meaning: 'Ratios.', seconds: 12, rows, pictures }],
  }
}

describe('the report', () => {
  it('meets a target at its limit', () => {
    assert.ok(atMost(10, 10).met)
    assert.ok(!atMost(10, 10.1).met)
    assert.ok(atLeast(0.9, 0.9).met)
    assert.ok(!atLeast(0.9, 0.89).met)
    assert.equal(atMost(3_000, 1, ' bytes').text, '≤ 3,000 bytes')
  })

  it('names each missed target', () => {
    const missed = '1 of 2 targets are missed:\n- unregistered: 1.200 ×, target ≤ 1.1 ×'
    assert.equal(verdict(resultsOf(ROWS)), missed)
    assert.equal(verdict(resultsOf(ROWS.slice(0, 1))), 'All 1 targets are met.')
  })

  it('shows every row in the table: met, missed or skipped', () => {
    const table = toTable(resultsOf(ROWS))
    assert.match(table, /registered +1\.020 × {2}≤ 1\.04 × {2}met/)
    assert.match(table, /unregistered +1\.200 × +≤ 1\.1 × +MISSED/)
    assert.match(table, /redis-benchmark +skipped +is not installed/)
  })

  it('is a page that says where it was measured, and escapes what would break a table', () => {
    const page = toMarkdown(resultsOf(ROWS))
    assert.match(page, /^- 2026-11-24T12:00:00\.000Z, 12 s, --quick: too short to judge by\.$/m)
    assert.match(page, /^- 2 cores of Some CPU\.$/m)
    assert.match(page, /^\| registered \| 1\.020 × \| ≤ 1\.04 × \| met \| half \\\| all \|$/m)
  })
})

describe('the targets, before and after', () => {
  const [registered, unregistered] = ROWS as [Row, Row]
  const floor: Row = { what: 'empty hooks', figure: '1.010 ×', context: true }
  const results = resultsOf([floor, { ...registered, before: '1.080 ×' }, unregistered])

  it('are the rows with a target that were measured for both versions, and what to compare with', () => {
    const lines = targetTable(results).trim().split('\n').slice(2)
    assert.deepEqual(lines, [
      '| CPU | empty hooks |  | 1.010 × |  |  |',
      '| CPU | registered | 1.080 × | 1.020 × | ≤ 1.04 × | met |',
    ])
  })

  it('have a column of their own only where there is another version', () => {
    assert.match(toMarkdown(results), /^\| {2}\| figure \| before \| target \|/m)
    assert.match(toMarkdown(results), /^\| unregistered \| 1\.200 × \| {2}\| ≤ 1\.1 × \|/m)
    assert.doesNotMatch(toMarkdown(resultsOf(ROWS)), /before/)
  })

  it('replace those of the last run in a page, and nothing else', () => {
    const page = (inside: string) => `# Page\n<!-- targets -->\n${inside}<!-- /targets -->\nrest\n`
    const written = withTargets(page('old\n'), results)
    assert.equal(withTargets(written, results), written)
    assert.equal(written.startsWith('# Page\n'), true)
    assert.equal(written.endsWith('<!-- /targets -->\nrest\n'), true)
    assert.match(written, /registered \| 1\.080 ×/)
    assert.match(written, /^- 2026-11-24T12:00:00\.000Z, 12 s/m)
    assert.doesNotMatch(written, /old/)
    assert.throws(() => withTargets('# Page\n', results), /no <!-- targets -->/)
  })
})

it('the pictures of a page are small SVG files on white, with their numbers', async () => {
  const samples = Array.from({ length: 60 }, (_, at) => 1 + ((at * 37) % 60) / 300)
  const about = (name: string) => ({ name, title: `About ${name}`, measure: 'alone = 1' })
  const pictures = [
    spread(about('mail'), [
      { label: 'registered', samples, target: 1.04 },
      { label: 'other <plugin>', samples },
    ]),
    bars(about('charges'), ['ledger', 'bare'], [{ label: 'charges', values: [81_234, 0] }]),
    lines(about('memory'), 'minutes', [{ label: 'heap', points: samples.map((y, x) => [x, y]) }]),
  ]
  const folder = path.join(scratchDir('page'), 'results')
  await writePage(folder, 'latest.md', resultsOf(ROWS, pictures))

  const files = pictures.map(({ name }) => `${name}.svg`)
  assert.deepEqual(readdirSync(folder).sort(), ['latest.md', ...files].sort())
  const page = readFileSync(path.join(folder, 'latest.md'), 'utf8')
  const svgs = pictures.map(({ name, title }) => {
    assert.ok(page.includes(`![${title}](${name}.svg)`), name)
    const svg = readFileSync(path.join(folder, `${name}.svg`), 'utf8')
    assert.match(svg, /^<svg [^>]*xmlns/)
    assert.match(svg, /fill="#fff"/)
    assert.ok(svg.includes(title), title)
    assert.ok(svg.length < 40_000, `${name}: ${svg.length}`)
    return svg
  })
  assert.match(svgs[0]!, /other &lt;plugin&gt;/)
  assert.match(svgs[1]!, />81,234</)
})
