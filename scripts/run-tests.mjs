// Runs test files, several processes at a time, and reports them as one run. Options of node are passed on to these
// processes.
//   node --require tsx/cjs scripts/run-tests.mjs [--together] [--retry] [--test-name-pattern=PATTERN] FILE...
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { PassThrough } from 'node:stream'
import { run } from 'node:test'
import { spec } from 'node:test/reporters'
import { parseArgs } from 'node:util'
import { groupFiles } from './group-tests.mjs'

const { values, positionals: files } = parseArgs({
  options: {
    // Files that need no separate process share one: starting a process is slower than most of them.
    together: { type: 'boolean', default: false },
    retry: { type: 'boolean', default: false },
    'test-name-pattern': { type: 'string', multiple: true },
  },
  allowPositionals: true,
})

/** The tests mostly wait for servers, so a few more processes than cores keep the cores busy. */
const PROCESSES = 4
/** Of the tests of one process, in ms. */
const TIMEOUT = 900_000
/** The summary that node:test prints: `tests 3`, `pass 3` … */
const COUNT = /^(tests|suites|pass|fail|cancelled|skipped|todo|duration_ms) ([\d.]+)$/

const scratch = mkdtempSync(path.join(tmpdir(), 'unregistered-domain-run-'))
const events = new PassThrough({ objectMode: true })
const shown = events.compose(new spec())
shown.pipe(process.stdout)
const counts = new Map()
const began = performance.now()

const groups = values.together ? groupFiles(files) : files.map((file) => [file])
const failed = await inTurn(groups, PROCESSES)
const again = values.retry ? await inTurn(failed, 1) : failed
const flaky = failed.filter((group) => !again.includes(group))

counts.set('duration_ms', performance.now() - began)
for (const [name, count] of counts) diagnose(`${name} ${count}`)
events.end()
shown.on('end', () => {
  for (const file of flaky.flat()) console.log(`flaky: ${file}`)
})
if (again.length > 0) process.exitCode = 1
rmSync(scratch, { recursive: true })

/** Runs each group in a process, several at a time; returns the failed ones. */
async function inTurn(groups, processes) {
  const left = [...groups]
  const failed = []
  const worker = async () => {
    for (let group = left.shift(); group; group = left.shift()) {
      if (!(await passes(group))) failed.push(group)
    }
  }
  await Promise.all(Array.from({ length: processes }, worker))
  return failed
}

/** Runs a group, and prints its whole report at the end, so that groups do not mix. */
async function passes(group) {
  const patterns = values['test-name-pattern']
  const options = { timeout: TIMEOUT, ...(patterns && { testNamePatterns: patterns }) }
  const reported = []
  for await (const event of run({ files: [entryOf(group)], ...options })) reported.push(event)
  for (const event of reported) {
    const [, name, count] = (isSummary(event) && COUNT.exec(event.data.message)) || []
    if (name === undefined) events.write(event)
    else counts.set(name, (counts.get(name) ?? 0) + Number(count))
  }
  return !reported.some(({ type }) => type === 'test:fail')
}

function isSummary({ type, data }) {
  return type === 'test:diagnostic' && data.nesting === 0
}

function diagnose(message) {
  events.write({ type: 'test:diagnostic', data: { nesting: 0, message } })
}

/** The file itself, or a generated one that runs several, each as a suite of its name. */
function entryOf(group) {
  if (group.length === 1) return group[0]
  const entry = path.join(scratch, `${groups.indexOf(group)}.cjs`)
  const suites = group.map((file) => {
    const [name, module] = [file, path.resolve(file)].map((text) => JSON.stringify(text))
    return `describe(${name}, () => void require(${module}))\n`
  })
  writeFileSync(entry, `const { describe } = require('node:test')\n${suites.join('')}`)
  return entry
}
