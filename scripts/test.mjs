// Runs tests. Files named *.long.test.ts are slow, or load the machine.
//   npm test                       the quick ones
//   npm run test:long              the long ones; a failed one is repeated alone
//   npm test -- e2e/registered     quick and long ones with a word in their path
//   npm test -- --test-name-pattern=IDN e2e/registered
import { spawn } from 'node:child_process'
import { readdirSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { tsImport } from 'tsx/esm/api'

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)))
const { values, positionals: words } = parseArgs({
  options: {
    long: { type: 'boolean', default: false },
    'test-name-pattern': { type: 'string', multiple: true, default: [] },
  },
  allowPositionals: true,
})

const isLong = (file) => file.endsWith('.long.test.ts')
const isChosen = (file) =>
  words.length > 0 ? words.some((word) => file.includes(word)) : isLong(file) === values.long

const files = readdirSync(path.join(root, 'test'), { recursive: true })
  .filter((name) => name.endsWith('.test.ts'))
  .map((name) => path.join('test', name))
  .filter(isChosen)
  .sort()
if (files.length === 0) {
  console.error(`no test file's path has ${words.join(' or ')}: see test/`)
  process.exit(2)
}

// Installed before the first test, so that no test does it while others run.
const { findTool } = await tsImport('./services/tools.ts', import.meta.url)
try {
  findTool('redis-server')
  findTool('openssl')
  if (process.getuid?.() === 0 && files.some((name) => name.includes('postfix'))) {
    findTool('postfix')
    findTool('opendkim')
  }
  if (process.getuid?.() === 0 && files.some((name) => name.includes('prometheus'))) {
    findTool('prometheus')
  }
} catch (error) {
  console.error(error.message)
  process.exit(1)
}

const options = [
  ...values['test-name-pattern'].map((pattern) => `--test-name-pattern=${pattern}`),
  ...(values.long ? ['--retry'] : []),
  ...(values.long || words.length > 0 ? [] : ['--together']),
]
const runner = spawn(
  process.execPath,
  // Everything is CommonJS, and files start faster without the hooks for ES modules.
  ['--require', 'tsx/cjs', path.join(root, 'scripts/run-tests.mjs'), ...options, ...files],
  { cwd: root, stdio: 'inherit' },
)
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => runner.kill(signal))
runner.on('exit', (code) => (process.exitCode = code ?? 1))
