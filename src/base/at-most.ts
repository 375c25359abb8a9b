import { LRUCache } from 'lru-cache'

/**
 * A cache up to a size, which takes memory only for what it holds: with `max` the library would allocate for all.
 *
 * @param sizeOf the size of an entry; absent: 1.
 */
export function atMost<T extends object>(
  size: number,
  sizeOf: (entry: T) => number = () => 1,
): LRUCache<string, T> {
  return new LRUCache<string, T>({ maxSize: size, sizeCalculation: sizeOf })
}
