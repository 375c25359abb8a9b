// Tests the test: faults planted in the compiled plugin, each of which must break a rule within some runs.
//   npm run build && npx tsx test/chaos/planted.ts [WORD …]      faults whose name has one of the words
import { cpSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { scratchDir } from '../../scripts/services/scratch'
import { plant, type Edit } from '../support/faults'
import { run } from './run'

const ROOT = path.resolve(__dirname, '../..')
const RUNS = 6
/** ms */
const LENGTH = 12_000

const MISTAKES: Readonly<Record<string, readonly Edit[]>> = {
  'a recipient that is refunded twice': [
    edit('dist/src/allowance/lua/refund.lua', 'if charged_under or not (entry', 'if not (entry'),
  ],
  'mail that passes when Redis does not answer': [
    edit(
      'dist/plugins/session/charging.js',
      'return passes ? undefined : ',
      'return passes || true ? undefined : ',
    ),
  ],
  'a restriction that is only in caches': [
    edit('dist/src/allowance/lua/charge.lua', 'if scope and meter.stopped', 'if false'),
  ],
  'a charge in flight that its end forgets': [
    edit(
      'dist/src/allowance/charges.js',
      'if (this.settled)\n            this.giveBack',
      'if (false)\n            this.giveBack',
    ),
  ],
  'refunds that do not wait for Redis': [
    edit('dist/src/store/outbox.js', 'this.waiting >= this.bound', 'true'),
  ],
  'a lost answer that loses its recipient': [
    edit('dist/plugins/session/charging.js', "'none' : state", "'none' : 'none'"),
  ],
  'registered mail that asks Redis': [
    edit('dist/plugins/session/sender.js', 'directory.peek(attribution.tenant) ?? ', ''),
  ],
  'our clock instead of the server’s': [
    edit(
      'dist/src/store/server-clock.js',
      'return this.offset === undefined ? this.ask() : node_perf_hooks_1.performance.now() + this.offset',
      'return Date.now()',
    ),
  ],
  'an unhandled promise': [
    edit(
      'dist/src/store/outbox.js',
      'isHopeless)(error))',
      'isHopeless)(error)) throw error; if (false)',
    ),
  ],
  'a subscription that is not renewed': [
    edit('dist/src/directory/directory.js', "subscriber.on('ready'", "subscriber.once('ready'"),
  ],
  'an off by one at the limit': [
    edit(
      'dist/src/allowance/lua/include/counting.lua',
      'total + more > limit.count',
      'total > limit.count',
    ),
  ],
  'a lost restriction that is not put back': [
    edit('dist/src/allowance/standing.js', "'restriction back'", "'accept'"),
  ],
  'a lost lift that is not put back': [
    edit('dist/src/allowance/standing.js', "'lift back'", "'accept'"),
  ],
  'a removed domain that comes back': [
    edit('dist/src/directory/lost-changes.js', 'return known > found', 'return false'),
  ],
  'a worker that stays after a graceful restart': [
    edit('dist/src/process/engine.js', 'this.store.unref()', ''),
  ],
}

function edit(file: string, find: string, replace: string): Edit {
  return { file, find, replace }
}

/** The package with one planted fault. */
function packageWith(edits: readonly Edit[]): string {
  const folder = scratchDir('package')
  for (const name of ['dist', 'config', 'package.json']) {
    cpSync(path.join(ROOT, name), path.join(folder, name), { recursive: true })
  }
  symlinkSync(path.join(ROOT, 'node_modules'), path.join(folder, 'node_modules'))
  for (const [file, source] of plant(edits)) {
    mkdirSync(path.dirname(path.join(folder, file)), { recursive: true })
    writeFileSync(path.join(folder, file), source)
  }
  return folder
}

/** The rules it breaks, and in which run. */
async function find(edits: readonly Edit[]): Promise<string | undefined> {
  const folder = packageWith(edits)
  for (let seed = 1; seed <= RUNS; seed++) {
    const { broken } = await run({ seed, length: LENGTH, package: folder })
    const rules = Object.entries(broken)
    if (rules.length === 0) continue
    return [`in run ${seed}`, ...rules.map(([rule, [first]]) => `  ${rule}: ${first}`)].join('\n')
  }
  return undefined
}

async function main(): Promise<void> {
  const words = process.argv.slice(2)
  for (const [what, edits] of Object.entries(MISTAKES)) {
    if (words.length > 0 && !words.some((word) => what.includes(word))) continue
    const found = await find(edits)
    console.log(`${what}: ${found ?? 'NOT FOUND'}`)
    if (found === undefined) process.exitCode = 1
  }
}

main().catch((error: unknown) => {
  console.error(error)
  process.exitCode = 1
})
