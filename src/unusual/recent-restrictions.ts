import type { Store } from '../store/store'

/** Times of restrictions since a moment, by tenant, from the index of cases. All in ms. */
export async function recentRestrictions(
  store: Store,
  since: number,
): Promise<Map<string, number[]>> {
  const { client, keys } = store
  const cases = await client.zrangebyscore(keys.caseIndex, since, '+inf', 'WITHSCORES')
  const restrictions = new Map<string, number[]>()
  for (let at = 0; at + 1 < cases.length; at += 2) {
    const name = cases[at]!
    const tenant = name.slice(0, name.lastIndexOf(':'))
    restrictions.set(tenant, [...(restrictions.get(tenant) ?? []), Number(cases[at + 1])])
  }
  return restrictions
}
