import { setTimeout } from 'node:timers/promises'
import type { RestrictedEvent } from '../records/event'
import { readScript } from '../store/script'
import { serverTime } from '../store/server-clock'
import { parseCaseName } from './case'
import { EVIDENCE_KEPT } from './cases'
import { gatherEvidence, type Gathering } from './gather'

const FREEZE = readScript(__dirname, 'evidence_freeze')

/**
 * How long after a restriction all processes have brought to Redis what they had counted for reports until then, in ms:
 * each does so when it hears of it, and once more a second later.
 */
const FLUSHED = 1500

/** What is needed to freeze evidence. */
export interface Freezing extends Gathering {
  /** Brings what this process has counted of a tenant to Redis. */
  readonly flush: (tenant: string) => Promise<void>
}

/**
 * Gathers the evidence of a restriction and keeps it with its case: without an end at first. Waits until the reports are
 * whole, so never to be called where a session waits. Doing it again, or by several processes, changes nothing: the
 * first is kept.
 *
 * @throws where Redis gave no answer; calling it again is safe.
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
    [JSON.stringify(evidence), EVIDENCE_KEPT],
  )) as 'frozen' | 'there' | 'gone'
}
