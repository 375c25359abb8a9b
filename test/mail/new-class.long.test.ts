import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { cpSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { before, describe, it } from 'node:test'
import { scratchDir } from '../../scripts/services/scratch'

const ROOT = path.join(__dirname, '../..')
const COPIED = ['src', 'plugins', 'config', 'scripts', 'test', 'package.json', 'tsconfig.json']

/** Mail of a sender whose domain begins with `news.`, on a meter of its own. */
const CLASS = `  news: {
    letter: 'w',
    rowLetter: 'w',
    halfOfRows: false,
    meter: 'news',
    passes: false,
    refused: undefined,
    owner: undefined,
    headerFrom: undefined,
    suggested: false,
    unusual: [],
    queue: { held: always, droppable: true, pooled: false, rewritten: false },
    words: { head: 'NEWS', help: 'news', sender: undefined },
  },
`
const METER = `  news: {
    letter: 'w',
    limitsField: 'newsLimits',
    ini: { section: 'news', limits: '3/1h' },
    past: 'restriction',
    whileRestricted: 'stopped',
    onProbation: false,
    byDomain: true,
    held: false,
    proven: false,
    words: {
      name: 'newsletters',
      counts: 'newsletters',
      allowance: ' for newsletters',
      tripped: ', by its newsletters',
      option: 'its allowance for newsletters',
      none: '',
      next: (tenant) => [\`look at the newsletters of \${tenant}\`],
      contact: {
        used: (recipients) => [\`\${recipients} got your newsletters.\`],
        advice: ['Send fewer.'],
        takeover: false,
        restricted: 'as newsletters',
      },
    },
  },
`
const LINE = `  if (domain?.startsWith('news.')) return { class: 'news', domain, matched: undefined }
`

describe('a new class of mail: a row of each table, and a line that finds it', () => {
  const copy = scratchDir('class')
  const env = { ...process.env }
  // Else it would report to the test that starts it.
  delete env['NODE_TEST_CONTEXT']
  const run = (...args: string[]) =>
    spawnSync(process.execPath, args, { cwd: copy, env, encoding: 'utf8' })

  before(() => {
    for (const each of COPIED)
      cpSync(path.join(ROOT, each), path.join(copy, each), { recursive: true })
    symlinkSync(path.join(ROOT, 'node_modules'), path.join(copy, 'node_modules'))
    const edit = (file: string, mark: string, text: string): void => {
      const place = path.join(copy, file)
      const source = readFileSync(place, 'utf8')
      assert.equal(source.split(mark).length, 2, `${file} must hold once: ${mark}`)
      writeFileSync(
        place,
        source.replace(mark, () => text + mark),
      )
    }
    edit('src/mail/classes.ts', '} as const satisfies Record<string, ClassRow>', CLASS)
    edit('src/mail/meters.ts', '} as const satisfies Record<string, MeterRow>', METER)
    edit('src/decision/classify.ts', "  return { class: 'unregistered', domain, matched }", LINE)
  })

  it('compiles with no other change', () => {
    const { status, stdout } = run(
      'node_modules/typescript/bin/tsc',
      '--noEmit',
      '--incremental',
      'false',
    )
    assert.equal(status, 0, stdout)
  })

  it('is charged, restricts, is alerted, shown, reported, queued, tagged and backed up', () => {
    const test = 'test/mail/new-class.planted.ts'
    const { status, stdout, stderr } = run('--require', 'tsx/cjs', '--test-reporter', 'spec', test)
    assert.equal(status, 0, stdout + stderr)
  })
})
