import assert from 'node:assert/strict'
import { performance } from 'node:perf_hooks'
import { describe, it } from 'node:test'
import { LastMinute } from '../../src/base/last-minute'

describe('the durations of the last whole minute', () => {
  it('are known once it is over, and not for longer than a minute', (t) => {
    let now = 1000
    t.mock.method(performance, 'now', () => now)
    const minute = new LastMinute()
    for (let ms = 1; ms <= 100; ms++) minute.record(ms)
    assert.equal(minute.read(), null)
    now += 60_000
    const { p50, p99 } = minute.read()!
    assert.ok(Math.abs(p50 - 50) <= 1 && Math.abs(p99 - 99) <= 1, `${p50} ${p99}`)
    now += 60_000
    assert.equal(minute.read(), null)
    minute.record(0)
    minute.record(1e9)
    now += 180_000
    assert.equal(minute.read(), null)
  })
})
