import { openRecords } from '../../registry-file/read-file'
import { InputError } from '../../base/errors'
import { shortTime } from '../../base/time'
import { ok, warn, type Line } from './line'

/** Haraka writes the snapshot at least once an hour (`directory/snapshot-writer.ts`), in ms. */
const STALE = 3 * 3_600_000

/**
 * Checks that Haraka's snapshot file is where `tenantctl` looks for it: the file shows that Redis has lost the
 * registry.
 *
 * @param file its path; empty: there is none.
 */
export async function checkSnapshot(file: string): Promise<Line[]> {
  if (file === '') return []
  try {
    const records = await openRecords(file)
    await records.close()
    const { createdAt } = records.header
    const message = `${file} is of ${shortTime(createdAt)}`
    if (Date.now() - createdAt < STALE) return [ok('snapshot', message)]
    return [warn('snapshot', message, 'a Haraka that runs writes it every hour: see its log')]
  } catch (error) {
    if (!(error instanceof InputError)) throw error
    return [
      warn(
        'snapshot',
        error.message,
        'until it can be read, tenantctl cannot notice that Redis has lost the registry: Haraka writes it when something is registered, at the path in [outage] snapshot',
      ),
    ]
  }
}
