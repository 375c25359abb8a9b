import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import path from 'node:path'
import { it } from 'node:test'

function run(script: string, ...args: string[]) {
  const file = path.resolve(__dirname, '../../bench', script)
  return spawnSync(process.execPath, ['--import', 'tsx', file, ...args], { encoding: 'utf8' })
}

it('--help of the benchmark names every section', () => {
  const { status, stdout } = run('bench.ts', '--help')
  assert.equal(status, 0)
  for (const name of [
    'cost',
    'mail',
    'instructions',
    'charges',
    'tenants',
    'memory',
    'propagation',
  ]) {
    assert.match(stdout, new RegExp(`^ +${name} +[A-Z]`, 'm'))
  }
})

it('an unknown section is a mistake, which names the sections', () => {
  const { status, stderr } = run('bench.ts', '--only', 'nonsense')
  assert.equal(status, 1)
  assert.match(stderr, /'nonsense' is invalid\. Allowed choices are cost, mail, instructions/)
})

it('part of a run is not published', () => {
  for (const part of [['--quick'], ['--only', 'mail'], ['--only', 'cost', 'mail']]) {
    const { status, stderr } = run('bench.ts', '--publish', ...part)
    assert.equal(status, 1)
    assert.match(stderr, /whole run/)
  }
})

it('a soak of "ten" minutes is a mistake', () => {
  const { status, stderr } = run('soak/soak.ts', 'ten')
  assert.equal(status, 1)
  assert.match(stderr, /'ten' is invalid for argument 'minutes'\. a whole number from 1 on/)
})
