import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { FairCache } from '../../src/base/fair-cache'

const ROOM = 100

/** A cache in which each of these has asked for so many keys, `NAME-0` the first. */
function cacheOf(counts: Readonly<Record<string, number>>): FairCache<string> {
  const cache = new FairCache<string>(ROOM)
  for (const [name, count] of Object.entries(counts)) flood(cache, name, count)
  return cache
}

function flood(cache: FairCache<string>, name: string, count: number): void {
  for (let each = 0; each < count; each++) cache.set(name, `${name}-${each}`, name)
}

const kept = (cache: FairCache<string>, name: string, count: number): number =>
  Array.from({ length: count }, (_, at) => cache.get(`${name}-${at}`)).filter(Boolean).length

describe('FairCache', () => {
  it('gives all of its room to one that is alone, and keeps what it asked for last', () => {
    const cache = cacheOf({ a: ROOM + 10 })
    assert.equal(cache.size, ROOM)
    assert.equal(cache.get('a-9'), undefined)
    assert.equal(cache.get('a-10'), 'a')
  })

  it('keeps what others have, whatever one asks for', () => {
    const cache = cacheOf({ quiet: 30, hog: 10_000 })
    assert.equal(kept(cache, 'quiet', 30), 30)
    assert.equal(kept(cache, 'hog', 10_000), ROOM - 30)
    assert.equal(cache.get('hog-9999'), 'hog')
  })

  it('makes room for a newcomer at the cost of who has most', () => {
    const cache = cacheOf({ hog: 10_000, quiet: 20 })
    flood(cache, 'new', 30)
    assert.equal(kept(cache, 'new', 30), 30)
    assert.equal(kept(cache, 'quiet', 20), 20)
    assert.equal(cache.size, ROOM)
  })

  it('divides its room equally among those who ask for ever more', () => {
    const cache = new FairCache<string>(ROOM)
    for (let each = 0; each < 1000; each++) {
      for (const name of ['a', 'b', 'c', 'd']) cache.set(name, `${name}-${each}`, name)
    }
    for (const name of ['a', 'b', 'c', 'd']) {
      assert.ok(Math.abs(kept(cache, name, 1000) - ROOM / 4) <= 1, name)
    }
  })

  it('has more names than room: each new one takes the place of another', () => {
    const cache = new FairCache<string>(ROOM)
    for (let each = 0; each < 3 * ROOM; each++) cache.set(`n${each}`, `key-${each}`, 'x')
    assert.equal(cache.size, ROOM)
    assert.equal(cache.get(`key-${3 * ROOM - 1}`), 'x')
  })

  it('makes a value young again, in the share of the one that sets it', () => {
    const cache = cacheOf({ a: ROOM })
    cache.set('a', 'a-0', 'again')
    cache.set('b', 'a-1', 'of b')
    flood(cache, 'c', 10)
    assert.equal(cache.get('a-0'), 'again')
    flood(cache, 'hog', 10_000)
    assert.equal(cache.get('a-1'), 'of b')
    assert.equal(kept(cache, 'c', 10), 10)
  })

  it('forgets what is deleted, and has room for as much again', () => {
    const cache = cacheOf({ a: 60, b: 40 })
    for (let twice = 0; twice < 2; twice++) cache.delete('a-5')
    assert.equal(cache.get('a-5'), undefined)
    cache.set('c', 'c-0', 'c')
    assert.deepEqual([cache.size, kept(cache, 'a', 60), kept(cache, 'b', 40)], [ROOM, 59, 40])
    cache.clear()
    assert.equal(cache.size, 0)
    flood(cache, 'a', ROOM)
    assert.equal(kept(cache, 'a', ROOM), ROOM)
  })
})
