import type { Config } from '../../src/process/config'
import { messageOf } from '../../src/base/errors'
import { fromFields, headerFromMismatch } from '../../src/message/mismatch'
import { Turns } from '../../src/message/turns'
import type { Attributed } from '../../src/decision/attribution'
import { modeOf } from '../../src/decision/judge'
import { acceptedDomainOf, type Snapshot } from '../../src/directory/snapshot'
import type { Answer } from '../kit/guard'
import type { Connection, HarakaTransaction } from '../kit/haraka'
import type { LogOnce } from '../kit/log'
import type { Report } from './report'
import type { Transit } from './transaction'

/** Of so many messages one is looked at where mismatches are only reported. */
const REPORTED_OF = 20

/** Counts for the reports what was found: see {@link headerFromMismatch}. Must not throw. */
export type RecordHeaderFrom = (transit: Transit, mismatch: string | undefined) => void

/** Counts registered mail as unregistered, for a domain or (empty) for none, and answers by what Redis says. */
export type ChargeInstead = (
  connection: Connection,
  transit: Transit,
  attribution: Attributed,
  snapshot: Snapshot,
  domain: string,
) => Answer | Promise<Answer>

/** Looks at the From header of registered mail and of the null sender's: what an intruder can still choose who knows what is counted. */
export class HeaderFrom {
  private readonly turns = new Turns(REPORTED_OF)
  private readonly nullTurns = new Turns(REPORTED_OF)

  constructor(
    private readonly report: Report,
    private readonly config: () => Config,
    private readonly record: RecordHeaderFrom,
    private readonly charge: ChargeInstead,
    private readonly quiet: LogOnce,
  ) {}

  /** At the end of DATA. Waits for nothing, and asks nobody, unless a message is to be counted. */
  check(connection: Connection, transit: Transit): Answer | Promise<Answer> {
    const { attribution, snapshot, standing, transaction } = transit
    if (standing.class !== 'registered' || transit.passed === 0 || !connection.relaying) {
      return undefined
    }
    const config = this.config()
    const { check } = config.headerFrom
    if (check === 'off' || attribution.kind !== 'attributed' || !snapshot) return undefined
    if (modeOf(snapshot, config) === 'off') return undefined
    if (check === 'report' && !this.turns.next()) return undefined
    const mismatch = this.mismatchOf(transaction, snapshot)
    this.record(transit, mismatch)
    if (mismatch === undefined) return undefined
    this.report.headerFrom(transit, mismatch)
    if (check === 'report') return undefined
    return this.charge(connection, transit, attribution, snapshot, mismatch)
  }

  /** When a message of the null sender has ended: one that was, or may have been, taken is looked at. */
  lookAtNull(transit: Transit): void {
    const { snapshot, transaction } = transit
    const { check } = this.config().headerFrom
    if (transit.accepted === 0 || check === 'off' || !snapshot) return
    if (check === 'report' && !this.nullTurns.next()) return
    this.record(transit, this.mismatchOf(transaction, snapshot))
  }

  /** What of ours fails here must not hold registered mail. */
  private mismatchOf({ header }: HarakaTransaction, snapshot: Snapshot): string | undefined {
    try {
      const fields = fromFields(header?.lines() ?? [])
      return headerFromMismatch(
        fields,
        (domain) => acceptedDomainOf(snapshot, domain) !== undefined,
      )
    } catch (error) {
      const message = messageOf(error)
      this.quiet.say(message, `header From not looked at: ${message}`)
      return undefined
    }
  }
}
