import { startHaraka, type StartHarakaOptions, type TestHaraka } from '../scripts/services/haraka'
import { formatIni } from '../scripts/services/ini'
import { NO_RDNS } from '../scripts/services/no-rdns'

/** Takes every message and keeps none. */
const DISCARD = {
  name: 'bench_discard',
  text: 'exports.hook_queue = exports.hook_queue_outbound = (next) => next(OK)\n',
}

/** What a Haraka of the bench has. */
export interface LeanOptions extends StartHarakaOptions {
  readonly plugins: string[]
  /** Text of what takes the messages, instead of {@link DISCARD}. */
  readonly taker?: string
}

/** A Haraka with these plugins that logs little, asks no name server and keeps no mail: no cost of these is ours to compare. */
export function startLeanHaraka(options: LeanOptions): Promise<TestHaraka> {
  const { plugins, localPlugins, config, taker = DISCARD.text, ...others } = options
  return startHaraka({
    ...others,
    plugins: [NO_RDNS.name, 'relay', ...plugins, DISCARD.name],
    localPlugins: { ...localPlugins, [NO_RDNS.name]: NO_RDNS.text, [DISCARD.name]: taker },
    // "Listening on" is told at notice, "ready" too.
    config: { 'log.ini': formatIni({ main: { level: 'notice' } }), ...config },
  })
}
