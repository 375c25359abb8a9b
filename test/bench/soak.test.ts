import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { errandsOf, kindOf } from '../../bench/soak/mail'
import { isFailure } from '../../bench/soak/run'
import { randomFrom } from '../../scripts/services/random'

describe('the mail of a soak', () => {
  const tenant = { id: 't', domain: 't.example', ip: '127.0.0.1' }
  const course = (seed: number) =>
    Array.from({ length: 10 }, (_, number) => {
      const next = errandsOf(tenant, kindOf(number), randomFrom(seed + number))
      return Array.from({ length: 30 }, next)
    }).flat()

  it('is the same for the same seed, and differs for another one', () => {
    assert.deepEqual(course(7), course(7))
    assert.notDeepEqual(course(7), course(8))
  })

  it('has mail of every kind', () => {
    const commands = course(7).map(({ script }) => String(script[0]?.command))
    for (const from of ['<a@t.example>', '<>', '<a@stranger-']) {
      assert.ok(
        commands.some((command) => command.startsWith(`MAIL FROM:${from}`)),
        from,
      )
    }
    assert.ok(course(7).some(({ counted }) => counted))
    assert.ok(course(7).some(({ refused }) => refused))
  })
})

it('a soak fails by what Haraka logs at error or above, and by a worker that ends', () => {
  const bad = [
    '2026-11-25T00:52:12.012Z [ERROR] [-] [core] something',
    '2026-11-25T00:52:12.012Z [CRIT] [ABC] [unregistered-domain] internal error',
    '2026-11-25T00:52:12.012Z [NOTICE] [-] [server] worker 2 killed by signal SIGKILL',
  ]
  const good = ['2026-11-25T00:52:12.012Z [WARN] [-] [unregistered-domain] tripped of [ERROR]', '']
  assert.deepEqual([...good, ...bad].filter(isFailure), bad)
})
