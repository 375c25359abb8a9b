import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { LruCache } from '../../src/base/lru-cache'

const ROOM = 10

/** What a cache has to hold, the most recently used first: simply, and slowly. */
class Model {
  entries: (readonly [key: string, size: number])[] = []

  get(key: string): number | undefined {
    const found = this.entries.find(([each]) => each === key)
    if (found) this.entries = [found, ...this.entries.filter((each) => each !== found)]
    return found?.[1]
  }

  set(key: string, size: number): void {
    this.delete(key)
    this.entries.unshift([key, size])
    const taken = (): number => this.entries.reduce((sum, [, each]) => sum + each, 0)
    while (taken() > ROOM && this.entries.length > 1) this.entries.pop()
  }

  delete(key: string): boolean {
    const before = this.entries.length
    this.entries = this.entries.filter(([each]) => each !== key)
    return this.entries.length < before
  }
}

describe('LruCache', () => {
  it('forgets what has not been used for longest, and looking is no use', () => {
    const cache = new LruCache<string>(2)
    cache.set('a', 'A')
    cache.set('b', 'B')
    assert.equal(cache.get('a'), 'A')
    assert.equal(cache.peek('b'), 'B')
    cache.set('c', 'C')
    assert.deepEqual(cache.keys(), ['c', 'a'])
  })

  it('keeps a value that is larger than its room, alone, until the next one', () => {
    const cache = new LruCache<number>(ROOM, (size) => size)
    cache.set('a', 1)
    cache.set('large', ROOM + 1)
    assert.deepEqual(cache.keys(), ['large'])
    cache.set('b', ROOM)
    assert.deepEqual(cache.keys(), ['b'])
  })

  it('holds the same as a plain list does, after any uses', () => {
    const key = fc.constantFrom('a', 'b', 'c', 'd', 'e')
    const use = fc.oneof(
      fc.record({ what: fc.constant('set' as const), key, size: fc.integer({ min: 1, max: 12 }) }),
      fc.record({
        what: fc.constantFrom('get' as const, 'delete' as const, 'clear' as const),
        key,
      }),
    )
    fc.assert(
      fc.property(fc.array(use, { maxLength: 60 }), (uses) => {
        const cache = new LruCache<number>(ROOM, (size) => size)
        const model = new Model()
        for (const each of uses) {
          if (each.what === 'set') {
            cache.set(each.key, each.size)
            model.set(each.key, each.size)
          } else if (each.what === 'clear') {
            cache.clear()
            model.entries = []
          } else {
            assert.equal(cache[each.what](each.key), model[each.what](each.key))
          }
          assert.deepEqual(
            cache.keys().map((held) => [held, cache.peek(held)]),
            model.entries,
          )
          assert.equal(cache.size, model.entries.length)
        }
      }),
    )
  })
})
