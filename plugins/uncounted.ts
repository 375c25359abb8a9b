import type { Config } from '../src/config'
import { passesUncounted } from '../src/relay/outcome'
import { REPLIES } from '../src/relay/reply'
import type { Answer } from './guard'
import type { Report } from './report'
import type { Transit } from './transit'

/** Recipients that could not be counted pass, or get a 451. */
export function uncounted(
  { report, config }: { readonly report: Report; readonly config: Config },
  transit: Transit,
  recipients: number,
  reason: string,
): Answer {
  const passes = passesUncounted(transit.snapshot, config)
  if (!passes) transit.deferred += recipients
  report.undecided(transit, reason, passes ? 'pass' : 'tempfail')
  return passes ? undefined : REPLIES.undecidable
}
