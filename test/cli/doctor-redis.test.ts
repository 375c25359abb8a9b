import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { judgeServer, parseInfo } from '../../src/cli/doctor/redis'

/** The findings for a server with this version. */
function ofVersion(version: string): string[] {
  const info = parseInfo(`# Server\r\nredis_version:${version}\r\n`)
  return judgeServer(info, '192.0.2.1:6379', true)
    .filter(({ check }) => check === 'redis')
    .map(({ level, message, advice }) => `${level}: ${message} → ${advice}`)
}

describe('the doctor on the version of Redis', () => {
  it('names it, and the address of that Redis', () => {
    for (const version of ['6.2.0', '7.0.15', '8.2.1']) {
      assert.deepEqual(ofVersion(version), [
        `ok: Redis ${version} at 192.0.2.1:6379 answers → null`,
      ])
    }
  })

  it('fails where it is too old or missing', () => {
    assert.deepEqual(ofVersion('6.0.16'), [
      'fail: Redis 6.0.16 at 192.0.2.1:6379 is too old → install 6.2 or later',
    ])
    assert.match(ofVersion('')[0] ?? '', /^fail: /)
  })
})
