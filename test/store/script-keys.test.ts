import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { allScripts } from '../support/lua'
import { strayKeys } from '../support/lua-keys'

describe('the keys of our scripts', () => {
  for (const [name, source] of allScripts()) {
    it(`${name} touches none but those that it is given`, () => {
      assert.deepEqual(strayKeys(source), [])
    })
  }

  const START = `local function read(key)
  redis.call('GET', key)
end
local tenant_key, usage_key = KEYS[1], KEYS[2]
`

  it('are known by the names that a script gives them, and as parameters of what it calls', () => {
    for (const line of [
      "redis.call('DEL', tenant_key, usage_key)",
      "for at = 3, #KEYS do redis.call('GET', KEYS[at]) end",
      'read(usage_key)',
      'local function f(n, tenant_key)\n  if n then read(tenant_key) end\nend\nf(1, usage_key)',
    ]) {
      assert.deepEqual(strayKeys(START + line), [], line)
    }
  })

  it('are not what is made up in a script, by whatever name', () => {
    for (const line of [
      "redis.call('GET', prefix .. 'x')",
      "redis.call('GET', ARGV[1])",
      "redis.call('UNLINK', tenant_key, ARGV[1])",
      'read(KEYS[1])\nread(ARGV[1])',
      "read('ud:' .. tenant_key)",
      "read(tenant_key .. ':x')",
      'redis.call(ARGV[1], tenant_key)',
      "redis.pcall('GET', ARGV[1])",
      // A parameter is known within its function only.
      "redis.call('GET', key)",
      "local other_key = KEYS[1] .. 'x'\nredis.call('GET', other_key)",
      "local other_key, more_key = KEYS[1], ARGV[1]\nredis.call('GET', more_key)",
      "tenant_key = ARGV[1]\nredis.call('GET', tenant_key)",
      "usage_key, tenant_key = 1, ARGV[1]\nredis.call('GET', tenant_key)",
      "if true then\n  local tenant_key = ARGV[1]\n  redis.call('GET', tenant_key)\nend",
      "for tenant_key in string.gmatch(ARGV[1], '%S+') do redis.call('GET', tenant_key) end",
      "local function f(tenant_key) redis.call('GET', tenant_key) end\nf(ARGV[1])",
      // Its callers cannot be seen.
      'local again = read\nagain(ARGV[1])',
      'local function f(g) g(ARGV[1]) end\nf(read)',
    ]) {
      assert.equal(strayKeys(START + line).length, 1, line)
    }
  })
})
