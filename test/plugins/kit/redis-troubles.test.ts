import assert from 'node:assert/strict'
import { describe, it, mock, beforeEach, afterEach } from 'node:test'
import type { Plugin } from '../../../plugins/kit/haraka'
import { RedisTroubles } from '../../../plugins/kit/redis-troubles'

const LOADING = new Error('LOADING Redis is loading the dataset in memory')
const AGAIN = 'Redis at here:6379 answers again, after 2 s'

describe('a failure of Redis', () => {
  let errors: string[]
  let notices: string[]
  let troubles: RedisTroubles
  beforeEach(() => {
    mock.timers.enable({ apis: ['setTimeout'] })
    let now = 0
    mock.method(performance, 'now', () => (now += 2000))
    errors = []
    notices = []
    const plugin = {
      logerror: (line: string) => void errors.push(line),
      lognotice: (line: string) => void notices.push(line),
    }
    troubles = new RedisTroubles(plugin as unknown as Plugin, 'here:6379')
  })
  afterEach(() => {
    mock.timers.reset()
    mock.restoreAll()
  })

  it('is logged once, and once when it is over', () => {
    troubles.tell('charge', LOADING)
    troubles.tell('charge', LOADING)
    assert.equal(errors.length, 1)
    troubles.over('charge')
    troubles.over('charge')
    assert.equal(notices.length, 1)
  })

  it('is over for mail also where a background task met it first', () => {
    troubles.tell('background', LOADING)
    troubles.tell('charge', LOADING)
    assert.equal(errors.length, 1)
    troubles.over('charge')
    assert.deepEqual(notices, [AGAIN])
  })

  it('is not reported as over to mail that has not met it', () => {
    troubles.tell('background', LOADING)
    troubles.over('charge')
    assert.deepEqual(notices, [])
  })

  it('that returns within a minute is not logged again, nor its end', () => {
    troubles.tell('charge', LOADING)
    troubles.over('charge')
    troubles.tell('charge', LOADING)
    troubles.over('charge')
    assert.deepEqual([errors.length, notices.length], [1, 1])
  })

  it('that concerns one tenant is never logged as over', () => {
    troubles.tell('charge', new Error('WRONGTYPE Operation against a key'))
    troubles.over('charge')
    assert.deepEqual([errors.length, notices.length], [1, 0])
  })
})
