import type { Defaults } from '../../src/allowance/ledger'
import type { Config } from '../../src/process/config'
import type { Charges } from '../../src/allowance/charges'
import type { Engine } from '../../src/process/engine'
import { passesUncounted } from '../../src/decision/outcome'
import { REPLIES } from '../../src/decision/reply'
import type { Answer } from '../kit/guard'
import type { Report } from './report'
import type { Transit } from './transaction'
import type { RedisTroubles } from '../kit/redis-troubles'

/** What whoever counts recipients needs, at RCPT and at the end of DATA. */
export interface Means {
  readonly report: Report
  /** In force now, as the defaults that follow from it. */
  readonly config: () => Config
  readonly defaults: () => Defaults
  readonly engine: () => Engine | undefined
  readonly troubles: RedisTroubles
}

/** The charges of a transaction; what nobody waits for any more is settled by the engine. */
export function chargesOf(transit: Transit, engine: Engine, { defaults }: Means): Charges {
  return transit.chargesWith(engine.refund, (settlement) =>
    engine.settleLater(settlement, defaults()),
  )
}

/** Recipients that could not be counted pass, or get a 451. */
export function uncounted(
  { report, config }: Means,
  transit: Transit,
  recipients: number,
  reason: string,
  passes = passesUncounted(transit.snapshot, config()),
): Answer {
  if (!passes) transit.deferred += recipients
  report.undecided(transit, reason, passes ? 'pass' : 'tempfail')
  return passes ? undefined : REPLIES.undecidable
}
