import { startHaraka, type StartHarakaOptions, type TestHaraka } from '../scripts/services/haraka'
import { formatIni } from '../scripts/services/ini'

/** Takes every message and keeps none. */
const DISCARD = {
  name: 'bench_discard',
  text: 'exports.hook_queue = exports.hook_queue_outbound = (next) => next(OK)\n',
}

/** A Haraka with these plugins that logs little and keeps no mail: neither cost is ours to compare. */
export function startLeanHaraka(
  options: StartHarakaOptions & { plugins: readonly string[] },
): Promise<TestHaraka> {
  const { plugins, localPlugins, config } = options
  return startHaraka({
    ...options,
    plugins: ['relay', ...plugins, DISCARD.name],
    localPlugins: { ...localPlugins, [DISCARD.name]: DISCARD.text },
    // "Listening on" is told at notice, "ready" too.
    config: { 'log.ini': formatIni({ main: { level: 'notice' } }), ...config },
  })
}
