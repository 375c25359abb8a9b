// Runs test files, those named first at first; `node --test` would sort them by name. What node is given for itself
// goes to the process of each file.
//   node --require tsx/cjs scripts/run-tests.mjs [--test-name-pattern=PATTERN] FILE...
import { run } from 'node:test'
import { spec } from 'node:test/reporters'
import { parseArgs } from 'node:util'

const { values, positionals } = parseArgs({
  options: { 'test-name-pattern': { type: 'string', multiple: true } },
  allowPositionals: true,
})
const patterns = values['test-name-pattern']

run({
  files: positionals,
  // The tests mostly wait for servers, so a few more than there are cores keep these busy.
  concurrency: 4,
  timeout: 400_000,
  ...(patterns && { testNamePatterns: patterns }),
})
  .on('test:fail', () => (process.exitCode = 1))
  .compose(new spec())
  .pipe(process.stdout)
