import { setTimeout } from 'node:timers/promises'
import type { RestrictedEvent } from '../records/event'
import { readScript } from '../store/script'
import { serverTime } from '../store/server-clock'
import { parseCaseName } from './case'
import { EVIDENCE_KEPT } from './cases'
import { formatEvidence } from './evidence'
import { gatherEvidence, type Gathering } from './gather'

const FREEZE = readScript(__dirname, 'evidence_freeze')

/**
 * How long after a restriction all processes have flushed their counts for reports, in ms: each flushes when it learns of
 * the restriction, and again a second later.
 */
const FLUSHED = 1500

/** What {@link freezeEvidence} needs. */
export interface Freezing extends Gathering {
  /** Flushes the counts of this process for a tenant. */
  readonly flush: (tenant: string) => Promise<void>
}

/**
 * Gathers the evidence of a restriction and stores it with its case, without expiry. Waits until the reports are complete,
 * so no session may wait for it. Of several calls, also by several processes, the first one's evidence is kept.
 *
 * @throws where Redis gave no answer; a second call is safe.
 */
export async function freezeEvidence(
  { flush, ...gathering }: Freezing,
  tenant: string,
  event: RestrictedEvent,
): Promise<'frozen' | 'there' | 'gone'> {
  const { store } = gathering
  const { client, keys } = store
  const { number } = parseCaseName(event.case)
  const key = keys.evidence(tenant, number)
  if (await client.exists(key)) return 'there'
  const wait = event.at + FLUSHED - (await serverTime(client))
  if (wait > 0) await setTimeout(wait, undefined, { ref: false })
  await flush(tenant)
  const evidence = await gatherEvidence(gathering, tenant, event)
  if (!evidence) return 'gone'
  return (await store.run(
    FREEZE,
    [keys.tenant(tenant), key, keys.caseOf(tenant, number)],
    [formatEvidence(evidence), EVIDENCE_KEPT],
  )) as 'frozen' | 'there' | 'gone'
}
