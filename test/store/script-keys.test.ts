import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { allScripts, strayKeys } from '../support/lua'

describe('the keys of our scripts', () => {
  for (const [name, source] of allScripts()) {
    it(`${name} touches none but those that it is given`, () => {
      assert.deepEqual(strayKeys(source), [])
    })
  }

  it('one that is made up in a script is found', () => {
    const made = (line: string) =>
      strayKeys(`local function f(key)\n  redis.call('GET', key)\nend\n${line}`)
    assert.deepEqual(made("f(KEYS[2])\nredis.call('DEL', KEYS[1], KEYS[2])"), [])
    for (const line of [
      "redis.call('GET', prefix .. 'x')",
      "redis.call('GET', ARGV[1])",
      "redis.call('UNLINK', KEYS[1], ARGV[1])",
      'f(KEYS[1])\nf(ARGV[1])',
      "f('ud:' .. KEYS[1])",
      'redis.call(ARGV[1], KEYS[1])',
      "redis.pcall('GET', KEYS[1])",
    ]) {
      assert.equal(made(line).length, 1, line)
    }
  })
})
