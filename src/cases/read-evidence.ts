import { NotFoundError } from '../base/errors'
import type { Store } from '../store/store'
import { parseCaseName } from './case'
import { Cases } from './cases'
import { parseEvidence, type Evidence } from './evidence'
import { withLaterMinutes } from './minutes'

/**
 * The evidence of a case, with the minutes that have come since.
 *
 * @param name of the case; a tenant alone: its latest case.
 * @throws {NotFoundError} with the reason.
 * @throws {InputError} neither a case nor a tenant.
 */
export async function readEvidence(store: Store, name: string): Promise<Evidence> {
  const cases = new Cases(store)
  const { tenant, number } = parseCaseName(await cases.nameOf(name))
  const { client, keys } = store
  const text = await client.get(keys.evidence(tenant, number))
  if (text !== null) return withLaterMinutes(store, parseEvidence(text))
  const [record, last] = await Promise.all([
    client.hget(keys.caseOf(tenant, number), 'closed'),
    cases.lastOf(tenant),
  ])
  if (number > last) {
    throw new NotFoundError(
      `there is no case ${tenant}:${number}; ${last === 0 ? `${tenant} has had none` : `the latest is ${tenant}:${last}`}`,
    )
  }
  throw new NotFoundError(
    record === null
      ? `there is no evidence of ${tenant}:${number}: a running Haraka gathers it within seconds of the restriction, and 30 days after the case is closed it goes`
      : `there is no evidence of ${tenant}:${number} now: it is kept for 30 days after the case is closed`,
  )
}
