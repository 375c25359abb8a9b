import { isNotAllowed } from '../store/failure'
import type { Store } from '../store/store'
import { probationInEffect } from './usage'

/** Any time: Redis keeps no probation that was over when it was written. */
const EVER = 0

/**
 * Notes until when a tenant is on probation, or that it is not, as its hash says it now; for metrics only.
 *
 * @throws where Redis gave no answer; an ACL file of an earlier version does no harm.
 */
export async function indexProbation({ client, keys }: Store, tenant: string): Promise<void> {
  const probation = probationInEffect(await client.hget(keys.tenant(tenant), 'probation'), EVER)
  try {
    if (probation) await client.zadd(keys.onProbation, probation.until, tenant)
    else await client.zrem(keys.onProbation, tenant)
  } catch (error) {
    if (!isNotAllowed(error)) throw error
  }
}
