import path from 'node:path'
import { queueParent } from '../config/haraka-files'
import { differs, host, section, site, type Place, type SettingsOf } from '../config/section'
import { oneOf, text } from '../config/values'

export const OUTAGE = section('outage', {
  unregistered: site(oneOf(['tempfail', 'accept']), 'tempfail'),
  /** Path of the snapshot file; empty: none. */
  snapshot: host(besideQueue, 'unregistered-domain.snapshot', { needsRestart: differs }),
})
export type OutageSettings = SettingsOf<typeof OUTAGE>

/** The user that Haraka runs as can write beside Haraka's queue. */
function besideQueue(value: unknown, { directory }: Place): string {
  const name = text(value)
  return name === '' ? '' : path.resolve(queueParent(directory), name)
}
