import { openRecords } from '../../backup/file'
import { InputError } from '../../errors'
import { shortTime } from '../output'
import { ok, warn, type Line } from './line'

/**
 * Whether the snapshot file of Haraka is where `tenantctl` looks for it: by that file it sees that Redis has lost the
 * registry.
 *
 * @param file its path; empty: there is none.
 */
export async function checkSnapshot(file: string): Promise<Line[]> {
  if (file === '') return []
  try {
    const records = await openRecords(file)
    await records.close()
    return [ok('snapshot', `${file} is of ${shortTime(records.header.createdAt)}`)]
  } catch (error) {
    if (!(error instanceof InputError)) throw error
    return [
      warn(
        'snapshot',
        error.message,
        'until it can be read tenantctl does not see whether Redis has lost the registry: Haraka writes it when something is registered, where [outage] snapshot of its own configuration says',
      ),
    ]
  }
}
