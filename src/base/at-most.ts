import { LRUCache } from 'lru-cache'

/** A cache of at most so many entries, which takes memory only for those that it holds: `max` would allocate for all. */
export function atMost<T extends object>(entries: number): LRUCache<string, T> {
  return new LRUCache<string, T>({ maxSize: entries, sizeCalculation: () => 1 })
}
