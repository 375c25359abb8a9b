import type { Attribution } from '../../src/decision/attribution'
import type { SenderStanding } from '../../src/decision/classify'
import type { Config } from '../../src/process/config'
import type { SourcedClass } from '../../src/reporting/batch'
import type { Numbers } from '../../src/reporting/numbers'

/** What a session has last counted by source. A further message of the same source needs no names and no look-ups. */
export interface CountedSource {
  /** Id of the batch: an idle session must not keep one that was flushed. */
  readonly batch: number
  readonly attribution: Attribution
  readonly sender: SenderStanding
  readonly reported: SourcedClass
  readonly report: Config['report']
  readonly numbers: Numbers
}
