import { pauseInEffect, readPause } from '../../enforcement/pause'
import type { Store } from '../../store/store'
import { pauseLine, stillRefused } from '../../enforcement/words'
import { ok, warn, type Line } from './line'

/** Reminds of a pause of enforcement. */
export async function checkPause(store: Store): Promise<Line> {
  const read = await readPause(store)
  if (read.denied) {
    return warn(
      'pause',
      'whether enforcement is paused was not checked: the ACL of Redis forbids it',
      'load docs/acl/tenantctl.acl, and docs/acl/plugin.acl for Haraka',
    )
  }
  const pause = pauseInEffect(read)
  if (!pause) return ok('pause', 'enforcement is not paused')
  return warn(
    'pause',
    `${pauseLine(read)}: ${stillRefused(pause)}`,
    'tenantctl enforcement resume --reason …, once the cause is gone',
  )
}
