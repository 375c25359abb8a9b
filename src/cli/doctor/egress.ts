import type { Config } from '../../process/config'
import { bindFailure } from '../../base/host-address'
import { fail, ok, type Line } from './line'

/** Checks that unregistered mail can leave from the address set for it. */
export async function checkEgress({ bind }: Config['egress']): Promise<Line[]> {
  if (bind === '') return []
  const failure = await bindFailure(bind)
  if (!failure) return [ok('egress', `unregistered mail leaves from ${bind}`)]
  return [
    fail(
      'egress',
      `${bind} is not an address of this host (${failure.message}): unregistered mail stays in the queue, and bounces in the end`,
      'give the address to the host, or empty bind in [egress]',
    ),
  ]
}
