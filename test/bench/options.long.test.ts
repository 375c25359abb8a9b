import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import path from 'node:path'
import { describe, it } from 'node:test'
import { readOptions } from '../../bench/options'
import { SECTIONS } from '../../bench/sections'

const BENCH = path.resolve(__dirname, '../../bench/bench.ts')

function run(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, ['--import', 'tsx', BENCH, ...args], { encoding: 'utf8' })
}

describe('the options of the benchmark', () => {
  it('are a whole run where there are none', () => {
    assert.deepEqual(readOptions([]), { quick: false, only: [], publish: false })
  })

  it('choose sections, and a quick look', () => {
    assert.deepEqual(readOptions(['--quick', '--only', 'mail', '--only', 'memory']), {
      quick: true,
      only: ['mail', 'memory'],
      publish: false,
    })
    assert.equal(readOptions(['--publish']).publish, true)
  })

  it('take the folder of another version from wherever they are given', () => {
    assert.equal(readOptions(['--against', '../before']).against, path.resolve('../before'))
  })

  it('are explained by --help, with every section', () => {
    const { status, stdout } = run('--help')
    assert.equal(status, 0)
    for (const { name, title } of SECTIONS) {
      assert.match(stdout, new RegExp(`^ +${name} +${title}$`, 'm'))
    }
  })

  it('name the sections where one is unknown', () => {
    const { status, stderr } = run('--only', 'nonsense')
    assert.notEqual(status, 0)
    assert.match(stderr, /there is no section "nonsense": mail, /)
  })

  it('do not publish part of a run', () => {
    for (const part of [['--quick'], ['--only', 'mail']]) {
      const { status, stderr } = run('--publish', ...part)
      assert.notEqual(status, 0)
      assert.match(stderr, /whole run/)
    }
  })
})
