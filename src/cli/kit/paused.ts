import { toPause, withPause } from '../../enforcement/in-effect'
import { readPause } from '../../enforcement/pause'
import type { MainSettings } from '../../mail/settings'
import type { Store } from '../../store/store'
import { pauseLine } from '../../enforcement/words'
import type { Output } from './output'

/**
 * The configuration that processes have in effect while enforcement is paused, which the first line says to people.
 *
 * @throws where Redis gave no answer.
 */
export async function inEffect<C extends { readonly main: MainSettings }>(
  store: Store,
  config: C,
  out: Output,
): Promise<C> {
  const read = await readPause(store)
  const line = pauseLine(read)
  if (line !== undefined && !out.json) out.line(line, 'warn')
  return withPause(config, toPause(read))
}
