// Runs the tests: all of them, or those whose path holds one of the words given, and of these
// those tests whose name matches a pattern.
//   npm test
//   npm test -- e2e/registered allowance
//   npm test -- --test-name-pattern=IDN e2e/registered
import { spawn } from 'node:child_process'
import { readdirSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { tsImport } from 'tsx/esm/api'

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)))
const given = process.argv.slice(2)
const options = given.filter((word) => word.startsWith('-'))
const words = given.filter((word) => !word.startsWith('-'))

// The folders with the long ones first, so that none of them is left alone at the end.
const LONG = ['e2e', 'hostile', 'redis', 'allowance', 'backup', 'chaos', 'acl']
const rankOf = (file) => {
  const [, folder] = file.split(path.sep)
  return [...LONG, folder].indexOf(folder)
}

const files = readdirSync(path.join(root, 'test'), { recursive: true })
  .filter((name) => name.endsWith('.test.ts'))
  .map((name) => path.join('test', name))
  .filter((name) => words.length === 0 || words.some((word) => name.includes(word)))
  .sort((a, b) => rankOf(a) - rankOf(b) || a.localeCompare(b))

if (files.length === 0) {
  console.error(`no test file's path holds ${words.join(' or ')}: see test/`)
  process.exit(2)
}

// Before the first test, so that no test installs them while others run.
const { findTool } = await tsImport('./services/tools.ts', import.meta.url)
try {
  findTool('redis-server')
  findTool('openssl')
  if (process.getuid?.() === 0 && files.some((name) => name.includes('postfix'))) {
    findTool('postfix')
    findTool('opendkim')
  }
} catch (error) {
  console.error(error.message)
  process.exit(1)
}

const runner = spawn(
  process.execPath,
  [
    // All is CommonJS, and without the hooks for ES modules each of the many files starts faster.
    ...['--require', 'tsx/cjs', '--test-timeout=400000'],
    ...[path.join(root, 'scripts/run-tests.mjs'), ...options, ...files],
  ],
  { cwd: root, stdio: 'inherit' },
)
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => runner.kill(signal))
runner.on('exit', (code) => (process.exitCode = code ?? 1))
