import { LruCache } from '../../base/lru-cache'
import type { Store } from '../../store/store'
import type { Visit } from './page'

/** What was read is shown for this long, in ms: pages ask every five seconds. */
const FRESH = 4000
/** Of {@link sharedBy}. */
const MOST_KEYS = 200

interface Reading {
  /** When it had its answer, in ms of a monotonic clock; infinite: it has none yet. */
  at: number
  readonly value: Promise<unknown>
  /** The next one is on its way. */
  isRenewed?: boolean
}

const known = new WeakMap<Store, WeakMap<object, Reading>>()

/**
 * A reading that all who look share: 50 browsers that poll cost Redis as much as one. It runs once at a time. One that fails
 * is not kept.
 *
 * @param read must depend neither on the person nor on the address of the page.
 * @param span how long it is shown, in ms.
 * @param late until what age it is still shown while it is read again, in ms: for what takes long.
 */
export function shared<T>(
  read: (visit: Visit) => Promise<T>,
  span = FRESH,
  late = 0,
): (visit: Visit) => Promise<T> {
  const own = {}
  return (visit) => {
    const readings = known.get(visit.store) ?? new WeakMap<object, Reading>()
    known.set(visit.store, readings)
    const last = readings.get(own)
    const age = last ? performance.now() - last.at : Infinity
    if (last && (age < span || (last.isRenewed && age < late))) return last.value as Promise<T>
    const value = read(visit)
    const reading: Reading = { at: Infinity, value }
    const before = age < late ? last : undefined
    if (before) before.isRenewed = true
    else readings.set(own, reading)
    value.then(
      () => {
        reading.at = performance.now()
        readings.set(own, reading)
      },
      () => {
        reading.at = -Infinity
        if (before) before.isRenewed = false
      },
    )
    return before ? (before.value as Promise<T>) : value
  }
}

/** The same for each of many things, such as tenants. @param read as above, of one of them. */
export function sharedBy<T>(
  read: (visit: Visit, key: string) => Promise<T>,
  span = FRESH,
  late = 0,
): (visit: Visit, key: string) => Promise<T> {
  const readers = new LruCache<(visit: Visit) => Promise<T>>(MOST_KEYS)
  return (visit, key) => {
    const reader = readers.get(key) ?? shared((each) => read(each, key), span, late)
    readers.set(key, reader)
    return reader(visit)
  }
}

/** After something was changed here: the next page shows nothing that was read before. */
export function forgetShared(store: Store): void {
  known.delete(store)
}
