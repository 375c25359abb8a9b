import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { throughPool } from '../../../plugins/outbound/egress'

const v6 = { exchange: '2001:db8::25', priority: 10, from_dns: 'mx.far.example' }
const v4 = { exchange: '192.0.2.25', priority: 20, from_dns: 'mx.far.example' }

describe('the servers of mail through the egress pool', () => {
  it('are those of the address family of the pool, in their order', () => {
    const named = { bind_helo: 'pool.example' }
    const pool = { bind: '192.0.2.9', helo: 'pool.example' }
    assert.deepEqual(throughPool([v6, v4], pool), [{ ...v4, ...named, bind: '192.0.2.9' }])
    const six = { ...pool, bind: '2001:db8::9' }
    assert.deepEqual(throughPool([v6, v4], six), [{ ...v6, ...named, bind: '2001:db8::9' }])
  })

  it('are none where all have another address family', () => {
    assert.equal(throughPool([v6], { bind: '192.0.2.9', helo: 'pool.example' }), undefined)
    assert.equal(throughPool([v4], { bind: '2001:db8::9', helo: '' }), undefined)
  })

  it('are all where the pool has only a name, and get the name of Haraka where it has none', () => {
    assert.deepEqual(throughPool([v6, v4], { bind: '', helo: 'pool.example' }), [
      { ...v6, bind_helo: 'pool.example' },
      { ...v4, bind_helo: 'pool.example' },
    ])
    const [only] = throughPool([{ ...v4, bind_helo: 'me' }], { bind: '192.0.2.9', helo: '' }) ?? []
    assert.equal(only?.bind_helo, undefined)
  })
})
