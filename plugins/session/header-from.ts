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

/** Where mismatches are only reported, one of this many messages is checked. */
const REPORTED_OF = 20

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
  private readonly acceptedTurns = new Turns(REPORTED_OF)

  constructor(
    private readonly report: Report,
    private readonly config: () => Config,
    private readonly record: RecordHeaderFrom,
    private readonly charge: ChargeInstead,
    private readonly log: LogOnce,
  ) {}

  /** At the end of DATA. Returns at once unless the message is to be charged. */
  check(connection: Connection, transaction: Transaction): Answer | Promise<Answer> {
    const { attribution, snapshot, sender, haraka, uncharged } = transaction
    if (CLASSES[sender.class].headerFrom?.at !== 'data') return undefined
    if (uncharged === 0 || !connection.relaying) return undefined
    const config = this.config()
    const { check } = config.headerFrom
    if (check === 'off' || attribution.kind !== 'attributed' || !snapshot) return undefined
    if (modeOf(snapshot, config) === 'off') return undefined
    if (check === 'report' && !this.turns.next()) return undefined
    const mismatch = this.mismatchOf(haraka, snapshot)
    this.record(transaction, mismatch)
    if (mismatch === undefined) return undefined
    this.report.headerFrom(transaction, mismatch)
    if (check === 'report') return undefined
    return this.charge(connection, transaction, attribution, snapshot, mismatch)
  }

  /** At the end of a transaction: checks a message that was, or may have been, accepted. */
  checkAccepted(transaction: Transaction): void {
    const { snapshot, haraka, accepted } = transaction
    const { check } = this.config().headerFrom
    if (accepted === 0 || check === 'off' || !snapshot) return
    if (check === 'report' && !this.acceptedTurns.next()) return
    this.record(transaction, this.mismatchOf(haraka, snapshot))
  }

  /** A fault of this plugin must not stop registered mail. */
  private mismatchOf({ header }: HarakaTransaction, snapshot: Snapshot): string | undefined {
    try {
      const fields = fromFields(header?.lines() ?? [])
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
