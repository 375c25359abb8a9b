import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { describe, it } from 'node:test'
import { writePage } from '../../bench/output'
import type { Plot } from '../../bench/plot'
import { facts, toMarkdown, toTable, verdict, type Results } from '../../bench/report'
import { atLeast, atMost, below, skipped, type Row } from '../../bench/row'
import { scratchDir } from '../support'

/** As many samples as a whole run brings. */
const samples = Array.from({ length: 60 }, (_, at) => 1 + ((at * 37) % 60) / 300)

const PLOTS: readonly Plot[] = [
  {
    kind: 'spread',
    name: 'mail',
    title: 'CPU of Haraka',
    measure: 'alone = 1',
    items: [
      { label: 'registered', samples, target: 1.04 },
      { label: 'other <plugin>', samples },
    ],
  },
  {
    kind: 'bars',
    name: 'charges',
    title: 'Charges a second',
    measure: 'more is better',
    categories: ['Ledger', 'peer'],
    series: [{ label: 'charges', values: [81_234, null] }],
  },
  {
    kind: 'columns',
    name: 'tenants',
    title: 'By tenants',
    measure: '1 tenant = 1',
    categories: ['1', '1,000'],
    series: [{ label: 'CPU of Redis', values: [1, 1.05] }],
    target: 1.1,
  },
  {
    kind: 'distribution',
    name: 'propagation',
    title: 'Propagation',
    measure: 'share of changes',
    series: [{ label: 'block', samples }],
  },
  {
    kind: 'lines',
    name: 'memory',
    title: 'Memory over time',
    measure: 'MB',
    unit: 'minutes',
    series: [{ label: 'worker', points: samples.map((sample, at) => [at / 4, sample]) }],
  },
]

const ROWS: readonly Row[] = [
  { what: 'registered', figure: '1.020 ×', target: atMost(1.04, 1.02, ' ×'), detail: 'half | all' },
  { what: 'unregistered', figure: '1.200 ×', target: atMost(1.1, 1.2, ' ×') },
  skipped('rspamd', 'is not installed'),
]

function resultsOf(rows: readonly Row[], plots: readonly Plot[] = []): Results {
  return {
    command: 'npm run bench',
    startedAt: '2026-11-24T12:00:00.000Z',
    seconds: 12.3,
    quick: true,
    machine: {
      cpu: 'Some CPU',
      cores: 2,
      memoryGb: 8,
      system: 'Linux 6.1',
      node: '20.20.0',
      haraka: '3.3.4',
      redis: '7.0.15',
      plugin: '1.0.0 (abc)',
      peers: ['haraka-plugin-limit 1.2.3'],
      loadBefore: [0.1, 0.2, 0.3],
    },
    warnings: ['The machine was busy.'],
    sections: [{ name: 'mail', title: 'CPU', meaning: 'Ratios.', seconds: 12, rows, plots }],
  }
}

describe('targets', () => {
  it('are met at their limit, but for one that must stay below', () => {
    assert.ok(atMost(10, 10).met)
    assert.ok(!atMost(10, 10.1).met)
    assert.ok(atLeast(0.9, 0.9).met)
    assert.ok(!atLeast(0.9, 0.89).met)
    assert.ok(!below(50, 50).met)
    assert.equal(atMost(3_000, 1, ' bytes').text, '≤ 3,000 bytes')
  })
})

describe('the report', () => {
  it('says which target is missed', () => {
    assert.equal(
      verdict(resultsOf(ROWS)),
      '1 of 2 targets missed:\n- unregistered: 1.200 ×, target ≤ 1.1 ×',
    )
    assert.equal(verdict(resultsOf(ROWS.slice(0, 1))), 'All 1 targets are met.')
  })

  it('shows every row, met or missed or skipped, in the table', () => {
    const table = toTable(resultsOf(ROWS))
    assert.match(table, /registered +│ 1\.020 × │ ≤ 1\.04 × │ met/)
    assert.match(table, /unregistered +│ 1\.200 × │ ≤ 1\.1 × +│ MISSED/)
    assert.match(table, /rspamd +│ skipped +│ +│ +│ is not installed/)
  })

  it('says where it was measured, with what, and that a quick run is only a look', () => {
    const text = facts(resultsOf(ROWS)).join('\n')
    for (const word of ['Some CPU', '3.3.4', '7.0.15', '0.10', 'limit 1.2.3', 'busy', 'a look']) {
      assert.ok(text.includes(word), word)
    }
  })

  it('is a Markdown page whose tables nothing breaks', () => {
    const page = toMarkdown(resultsOf(ROWS))
    const cells = page.split('\n').filter((line) => line.startsWith('| registered'))
    assert.deepEqual(cells, ['| registered | 1.020 × | ≤ 1.04 × | met | half \\| all |'])
  })
})

describe('the files', () => {
  it('are a page and its pictures, small and on white; older pictures go', async () => {
    const folder = path.join(scratchDir('page'), 'results')
    await writePage(folder, 'latest.md', resultsOf(ROWS))
    writeFileSync(path.join(folder, 'old.svg'), '')
    const files = await writePage(folder, 'latest.md', resultsOf(ROWS, PLOTS))

    assert.deepEqual([...files].sort(), readdirSync(folder).sort())
    const page = readFileSync(path.join(folder, 'latest.md'), 'utf8')
    for (const [, file = ''] of page.matchAll(/!\[[^\]]+\]\(([^)]+)\)/g)) {
      assert.ok(existsSync(path.join(folder, file)), file)
    }
    for (const { name, title } of PLOTS) {
      assert.ok(page.includes(`![${title}](${name}.svg)`), name)
      const svg = readFileSync(path.join(folder, `${name}.svg`), 'utf8')
      assert.match(svg, /^<svg [^>]*xmlns/)
      assert.match(svg, /fill="#fff"/)
      assert.ok(svg.includes(title), title)
      assert.ok(svg.length < 40_000, `${name}: ${svg.length}`)
    }
    const bars = readFileSync(path.join(folder, 'charges.svg'), 'utf8')
    assert.match(bars, />81,234</)
    assert.match(readFileSync(path.join(folder, 'mail.svg'), 'utf8'), /other &lt;plugin&gt;/)
  })
})
