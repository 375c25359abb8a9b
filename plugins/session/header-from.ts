import type { Config } from '../../src/process/config'
import { messageOf } from '../../src/base/errors'
import { fromFields, headerFromMismatch } from '../../src/message/mismatch'
import { Turns } from '../../src/message/turns'
import type { Attributed } from '../../src/decision/attribution'
import { CLASSES } from '../../src/mail/classes'
import { modeOf } from '../../src/decision/judge'
import { acceptedDomainOf, type Snapshot } from '../../src/directory/snapshot'
import type { Answer } from '../kit/guard'
import type { Connection, HarakaTransaction } from '../kit/haraka'
import type { LogOnce } from '../kit/log'
import type { Report } from './report'
import type { Transaction } from './transaction'

/** `check=report` looks at one of so many accepted messages: few enough that the others do not pay for it. */
const REPORTED_OF = 50

/** Counts the result for the reports: see {@link headerFromMismatch}. Must not throw. */
export type RecordHeaderFrom = (transaction: Transaction, mismatch: string | undefined) => void

/** Charges registered mail as unregistered mail, for a domain or (empty) for none. */
export type ChargeInstead = (
  connection: Connection,
  transaction: Transaction,
  attribution: Attributed,
  snapshot: Snapshot,
  domain: string,
) => Answer | Promise<Answer>

/** Checks the header From: an intruder who knows what is counted can still choose it. */
export class HeaderFrom {
  private readonly turns = new Turns(REPORTED_OF)

  constructor(
    private readonly report: Report,
    private readonly config: () => Config,
    private readonly record: RecordHeaderFrom,
    private readonly chargeInstead: ChargeInstead,
    private readonly log: LogOnce,
  ) {}

  /** At the end of DATA, with `check=charge`: counts a registered message that does not fit as unregistered mail. */
  charge(connection: Connection, transaction: Transaction): Answer | Promise<Answer> {
    const config = this.config()
    if (config.headerFrom.check !== 'charge') return undefined
    const { attribution, snapshot, sender, uncharged } = transaction
    if (!CLASSES[sender.class].headerFrom?.suspect) return undefined
    if (uncharged === 0 || !connection.relaying) return undefined
    if (attribution.kind !== 'attributed' || !snapshot) return undefined
    if (modeOf(snapshot, config) === 'off') return undefined
    const mismatch = this.found(transaction, snapshot)
    if (mismatch === undefined) return undefined
    return this.chargeInstead(connection, transaction, attribution, snapshot, mismatch)
  }

  /**
   * At the end of a transaction: reports on a message that was, or may have been, accepted, where {@link charge} has not.
   * An aborted message has no From to be looked at.
   */
  lookAt(transaction: Transaction): void {
    const { snapshot, sender, accepted } = transaction
    const { check } = this.config().headerFrom
    if (check === 'off' || accepted === 0 || !snapshot) return
    const isDue =
      check === 'report' ? this.turns.next() : !CLASSES[sender.class].headerFrom?.suspect
    if (isDue) this.found(transaction, snapshot)
  }

  /** Counts and tells what is found; see {@link headerFromMismatch}. */
  private found(transaction: Transaction, snapshot: Snapshot): string | undefined {
    const mismatch = this.mismatchOf(transaction.haraka, snapshot)
    this.record(transaction, mismatch)
    const { suspect } = CLASSES[transaction.sender.class].headerFrom ?? {}
    if (suspect && mismatch !== undefined) this.report.headerFrom(transaction, mismatch)
    return mismatch
  }

  /** A fault of this plugin must not stop registered mail. */
  private mismatchOf({ header }: HarakaTransaction, snapshot: Snapshot): string | undefined {
    try {
      const fields = fromFields(header?.header_list ?? [])
      return headerFromMismatch(
        fields,
        (domain) => acceptedDomainOf(snapshot, domain) !== undefined,
      )
    } catch (error) {
      const message = messageOf(error)
      this.log.say(message, `header From not checked: ${message}`)
      return undefined
    }
  }
}
