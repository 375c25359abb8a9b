import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { before, describe, it } from 'node:test'
import { ESLint, Linter } from 'eslint'
import { scratchDir } from '../scripts/services/scratch'
import { packageRoot } from '../src/base/package-root'

const ROOT = packageRoot()

/** Each file on purpose against a rule, but for those that the others import. */
const PLANTED: Readonly<Record<string, string>> = {
  'src/base/time.ts': 'export const now = 1\n',
  'src/store/store.ts': 'export class Store {}\n',
  'src/cli/kit/output.ts': "export * from '../../store/store'\n",
  'src/events/stream.ts': "export * from '../store/store'\n",
  'plugins/kit/guard.ts': "export * from '../../src/base/time'\n",
  'plugins/session/hooks.ts': "export * from '../kit/guard'\nexport * from './transaction'\n",
  'plugins/session/transaction.ts': "export * from '../../src/store/store'\n",
  // Upwards.
  'src/store/up.ts': "export * from '../cli/kit/output'\n",
  'src/mail/type-up.ts':
    "import type { Store } from '../store/store'\nexport type Up = Store | undefined\n",
  'src/base/out.ts': "export * from '../../plugins/kit/guard'\n",
  // To the room beside.
  'src/reporting/beside.ts': "export * from '../events/stream'\n",
  'plugins/outbound/beside.ts': "export * from '../session/transaction'\n",
  // A circle of types.
  'src/names/a.ts': "import type { B } from './b'\nexport type A = B | 1\n",
  'src/names/b.ts': "import type { A } from './a'\nexport type B = A | 2\n",
  // No pure decision.
  'src/decision/asks.ts': "export * from '../store/store'\n",
  'src/decision/reads.ts': "export { readFileSync } from 'node:fs'\n",
  'src/decision/names.ts':
    "import type { Store } from '../store/store'\nexport type Pure = Store | 1\n",
  // Packages that most processes never need.
  'src/names/loads.ts': "export { parse } from 'tldts'\n",
  'src/names/later.ts':
    "import type * as Tldts from 'tldts'\nexport const tldts = () => require('tldts') as typeof Tldts\n",
  // No room.
  'src/helpers/all.ts': "export * from '../base/time'\n",
}

const SURROUNDINGS = { 'tsconfig.json': '{}', 'node_modules/tldts/index.js': '' }

interface Violation {
  readonly from: string
  readonly to: string
  readonly rule: { readonly name: string }
}

describe('npm run lint:rooms', () => {
  let found: Violation[]
  before(() => {
    const directory = scratchDir('rooms')
    for (const [name, source] of Object.entries({ ...PLANTED, ...SURROUNDINGS })) {
      mkdirSync(path.dirname(path.join(directory, name)), { recursive: true })
      writeFileSync(path.join(directory, name), source)
    }
    found = violationsIn(directory)
  })

  const of = (from: string): string[] =>
    found.filter((each) => each.from === from).map(({ rule, to }) => `${rule.name}: ${to}`)

  it('lets a file import from its own room and from rooms below it', () => {
    const fine = Object.keys(PLANTED).slice(0, 7)
    assert.deepEqual(fine.flatMap(of), [])
  })

  it('catches an arrow that points up, also one of types', () => {
    assert.deepEqual(of('src/store/up.ts'), [
      'src/store-knows-only-what-is-below: src/cli/kit/output.ts',
    ])
    assert.deepEqual(of('src/mail/type-up.ts'), [
      'src/mail-knows-only-what-is-below: src/store/store.ts',
    ])
    assert.deepEqual(of('src/base/out.ts'), [
      'src/base-knows-only-what-is-below: plugins/kit/guard.ts',
    ])
  })

  it('catches an arrow to a room that stands beside', () => {
    assert.deepEqual(of('src/reporting/beside.ts'), [
      'src/reporting-knows-only-what-is-below: src/events/stream.ts',
    ])
    assert.deepEqual(of('plugins/outbound/beside.ts'), [
      'plugins/outbound-knows-only-what-is-below: plugins/session/transaction.ts',
    ])
  })

  it('catches a circle, also one of types', () => {
    assert.deepEqual([...of('src/names/a.ts'), ...of('src/names/b.ts')].length, 1)
    assert.ok(found.some(({ rule }) => rule.name === 'no-circles'))
  })

  it('catches a decision that asks Redis or reads a file, and lets it name types', () => {
    assert.deepEqual(of('src/decision/asks.ts'), ['decision-is-pure: src/store/store.ts'])
    assert.deepEqual(of('src/decision/reads.ts'), ['decision-is-self-contained: fs'])
    assert.deepEqual(of('src/decision/names.ts'), [])
  })

  it('catches a package that every process would load, and lets a file load it when it is needed', () => {
    assert.deepEqual(of('src/names/loads.ts'), [
      'rare-packages-on-demand: node_modules/tldts/index.js',
    ])
    assert.deepEqual(of('src/names/later.ts'), [])
  })

  it('catches a file without a room', () => {
    assert.deepEqual(of('src/helpers/all.ts'), ['a-room-for-every-file: src/base/time.ts'])
  })
})

describe('npm run lint', () => {
  it('catches a decision that asks the clock, waits, or throws dice', async () => {
    const eslint = new ESLint({ cwd: ROOT })
    const config = (await eslint.calculateConfigForFile('src/decision/reply.ts')) as {
      rules: Linter.RulesRecord
    }
    const names = ['no-restricted-globals', 'no-restricted-properties']
    const rules = Object.fromEntries(names.map((name) => [name, config.rules[name]!]))
    // By themselves: all rules together need the types of the whole project.
    const messages = new Linter().verify(
      'export const at = Date.now() + Math.random() + setTimeout(() => {}, 1)',
      { rules },
    )
    assert.deepEqual(
      messages.map(({ ruleId }) => ruleId),
      ['no-restricted-globals', 'no-restricted-properties', 'no-restricted-globals'],
    )
  })
})

/** The command ends with the number of violations as its status. */
function violationsIn(directory: string): Violation[] {
  const program = path.join(ROOT, 'node_modules/.bin/depcruise')
  const config = path.join(ROOT, '.dependency-cruiser.cjs')
  const args = ['--config', config, '--output-type', 'json', 'src', 'plugins']
  const output = outputOf(program, args, directory)
  return (JSON.parse(output) as { summary: { violations: Violation[] } }).summary.violations
}

function outputOf(program: string, args: readonly string[], cwd: string): string {
  try {
    return execFileSync(program, args, { cwd, encoding: 'utf8' })
  } catch (error) {
    return (error as { stdout: string }).stdout
  }
}
