import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it, mock } from 'node:test'
import { RefusalLog, type RefusalCount } from '../../src/decision/refusal-log'

const MINUTE = 60_000
const mx = { tenant: 'contoso', connector: 'contoso/mx', reason: 'restricted' }
const mx2 = { ...mx, connector: 'contoso/mx2' }

let told: RefusalCount[]
let log: RefusalLog

beforeEach(() => {
  mock.timers.enable({ apis: ['setInterval'] })
  told = []
  log = new RefusalLog((refusals) => told.push(refusals))
})
afterEach(() => {
  log.stop()
  mock.timers.reset()
})

function counts(): [string, number][] {
  return told.splice(0).map(({ connector, count }) => [connector, count])
}

describe('the log of refusals', () => {
  it('tells the first one of a connector, and counts the others', () => {
    assert.equal(log.isFirst(mx), true)
    assert.equal(log.isFirst(mx), false)
    assert.equal(log.isFirst(mx2), true)
    assert.equal(log.isFirst({ ...mx, tenant: 'fabrikam' }), true)
    assert.equal(log.isFirst({ ...mx, reason: 'deferred' }), true)
    assert.equal(log.isFirst(mx), false)
    assert.deepEqual(told, [])
  })

  it('tells a count a minute', () => {
    for (let at = 0; at < 5; at++) log.isFirst(mx)
    log.isFirst(mx2)
    mock.timers.tick(MINUTE - 1)
    assert.deepEqual(told, [])
    mock.timers.tick(1)
    assert.deepEqual(told, [{ ...mx, count: 4, seconds: 60 }])
    told = []
    for (let at = 0; at < 3; at++) log.isFirst(mx)
    mock.timers.tick(MINUTE)
    assert.deepEqual(counts(), [['contoso/mx', 3]])
  })

  it('begins anew after a minute without any', () => {
    log.isFirst(mx)
    log.isFirst(mx)
    mock.timers.tick(MINUTE)
    assert.deepEqual(counts(), [['contoso/mx', 1]])
    assert.equal(log.isFirst(mx), false)
    mock.timers.tick(MINUTE)
    assert.deepEqual(counts(), [['contoso/mx', 1]])
    mock.timers.tick(MINUTE)
    assert.equal(log.isFirst(mx), true)
  })

  it('tells a thousand addresses of no tenant apart, and counts the rest together', () => {
    const stranger = { tenant: '', reason: 'no-tenant' }
    const firsts = Array.from({ length: 100_000 }, (_, at) =>
      log.isFirst({ ...stranger, connector: `10.${at >> 16}.${(at >> 8) & 255}.${at & 255}` }),
    )
    assert.equal(firsts.filter(Boolean).length, 1001)
    assert.equal(log.isFirst(mx), true)
    mock.timers.tick(MINUTE)
    assert.deepEqual(counts(), [['other addresses', 98_999]])
    // They make room again.
    mock.timers.tick(MINUTE)
    assert.equal(log.isFirst({ ...stranger, connector: '192.0.2.1' }), true)
    log.isFirst({ ...stranger, connector: '192.0.2.1' })
    mock.timers.tick(MINUTE)
    assert.deepEqual(counts(), [['192.0.2.1', 1]])
  })

  it('keeps nothing, and no timer, when nothing is refused any more', () => {
    for (let at = 0; at < 1000; at++) log.isFirst({ ...mx, connector: `192.0.2.${at}` })
    mock.timers.tick(MINUTE)
    assert.deepEqual(told, [])
    // Every one is a first one again, and the timer starts again.
    assert.equal(log.isFirst({ ...mx, connector: '192.0.2.7' }), true)
    log.isFirst({ ...mx, connector: '192.0.2.7' })
    mock.timers.tick(MINUTE)
    assert.deepEqual(counts(), [['192.0.2.7', 1]])
  })
})
