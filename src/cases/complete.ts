import { createHash } from 'node:crypto'
import type { Duty } from '../base/duty'
import { mapLimited } from '../base/limiter'
import { MINUTES_TTL } from '../reporting/bounds'
import { readScript } from '../store/script'
import { serverTime } from '../store/server-clock'
import type { Store } from '../store/store'
import { parseCaseName } from './case'
import { formatEvidence, parseEvidence } from './evidence'
import { FOLLOWED, withLaterMinutes } from './minutes'

const COMPLETE = readScript(__dirname, 'evidence_complete')

const EVERY = 60_000
/** Cases read at a time. */
const BATCH = 500
const AT_ONCE = 4

/**
 * Adds the minutes of the hour after each restriction to its evidence, once that hour is over. Several processes may do so:
 * the first one's are kept.
 */
export function completeEvidence(store: Store): Duty {
  const { client, keys } = store
  /** The evidence of cases that were opened until then is complete. */
  let done = 0
  return {
    name: 'minutes of evidence',
    every: EVERY,
    run: async () => {
      const now = await serverTime(client)
      const last = now - FOLLOWED
      const first = `(${Math.max(done, now - MINUTES_TTL)}`
      for (let at = 0, size = BATCH; size === BATCH; at += BATCH) {
        const names = await client.zrangebyscore(keys.caseIndex, first, last, 'LIMIT', at, BATCH)
        await mapLimited(names, AT_ONCE, (name) => complete(store, name))
        size = names.length
      }
      done = last
    },
  }
}

async function complete(store: Store, name: string): Promise<void> {
  const { tenant, number } = parseCaseName(name)
  const key = store.keys.evidence(tenant, number)
  const text = await store.client.get(key)
  if (text === null) return
  const frozen = parseEvidence(text)
  if (frozen.minutesComplete) return
  const evidence = await withLaterMinutes(store, frozen)
  if (!evidence.minutesComplete) return
  const read = createHash('sha1').update(text).digest('hex')
  await store.run(COMPLETE, [key], [read, formatEvidence(evidence)])
}
