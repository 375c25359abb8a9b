import { Store } from '../../src/store/store'

/**
 * The same store, which calls `interlude` after each answer to a command, by default to HSCAN.
 *
 * @param interlude gets the arguments of the command; its failure becomes one of that command.
 * @param times how often, at most.
 */
export function interrupted(
  store: Store,
  interlude: (...args: unknown[]) => Promise<unknown>,
  { times = Infinity, command = 'hscan' }: { times?: number; command?: 'hscan' | 'get' } = {},
): Store {
  let left = times
  const client = new Proxy(store.client, {
    get(target, property) {
      const value: unknown = Reflect.get(target, property)
      if (typeof value !== 'function') return value
      return async (...args: unknown[]): Promise<unknown> => {
        const answer: unknown = await (value as (...args: unknown[]) => unknown).apply(target, args)
        if (property === command && left-- > 0) await interlude(...args)
        return answer
      }
    },
  })
  // Scripts use the real client.
  const same = new Store(store.client, store.keys)
  return Object.assign(Object.create(same) as Store, { client, run: same.run.bind(same) })
}
