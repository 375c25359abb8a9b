import type { Config } from '../../src/process/config'
import { messageOf } from '../../src/base/errors'
import { normalizeAuthUser } from '../../src/names/auth-user'
import type { Attributed } from '../../src/decision/attribution'
import type { Engine } from '../../src/process/engine'
import { reportedClass } from '../../src/decision/classify'
import { CLASSES } from '../../src/mail/classes'
import { isSourced, type Batch, type SourcedClass } from '../../src/reporting/batch'
import {
  LONGEST_CERTIFICATE,
  LONGEST_DOMAIN,
  LONGEST_HELO,
  LONGEST_MESSAGE_ID,
  LONGEST_USER,
} from '../../src/reporting/bounds'
import type { Outcome } from '../../src/reporting/outcome'
import { OTHER, type UnattributedSource } from '../../src/reporting/rows'
import { shortened } from '../../src/base/safe-text'
import type { Connection } from '../kit/haraka'
import type { LogOnce } from '../kit/log'
import type { Session } from './session'
import type { Transaction } from './transaction'

/** Replaces addresses and users where reports must not name persons. */
const ANYBODY: UnattributedSource = { ip: OTHER, user: OTHER, certificate: OTHER }

/** Counts each transaction for the reports when it has ended: in memory, without waiting. Never throws. */
export class Recording {
  constructor(
    private readonly config: () => Config,
    private readonly engine: () => Engine | undefined,
    private readonly log: LogOnce,
    /** Called for each message of a class whose header From is looked at. Must not throw. */
    private readonly onEnd: (transaction: Transaction) => void,
  ) {}

  end(connection: Connection, session: Session, transaction: Transaction): void {
    // This plugin has decided nothing, as for all mail that is not relayed.
    if (transaction.message === undefined) return
    try {
      this.record(connection, session, transaction, transaction as Outcome)
    } catch (error) {
      const message = messageOf(error)
      this.log.say(message, `not recorded: ${message}`)
    }
  }

  private record(
    connection: Connection,
    session: Session,
    transaction: Transaction,
    outcome: Outcome,
  ): void {
    const tally = this.engine()?.tally
    if (!tally) return
    const { attribution, sender } = transaction
    if (attribution.kind === 'none' || attribution.kind === 'ambiguous') {
      const { samples } = this.config().report
      tally.unattributed?.add(samples ? unattributedSource(session) : ANYBODY, outcome)
      return
    }
    // A tenant that does not exist has no reports.
    if (attribution.kind !== 'attributed' || transaction.snapshot === null) return
    const batch = tally.batchOf(attribution.tenant)
    if (!batch) return
    noteConnector(batch, attribution, session)
    const reported = reportedClass(sender, transaction.isRegistered)
    if (isSourced(reported)) {
      this.recordSource(batch, reported, connection, session, transaction, outcome)
    } else {
      batch.addTotal(reported, attribution.connector ?? '', outcome)
      if (CLASSES[sender.class].headerFrom) this.onEnd(transaction)
    }
  }

  /** Mail from domains that are not accepted domains, and mail of unknown class. */
  private recordSource(
    batch: Batch,
    reported: SourcedClass,
    connection: Connection,
    session: Session,
    { attribution, sender, haraka }: Transaction,
    outcome: Outcome,
  ): void {
    const { report } = this.config()
    const { lastSource: last } = session
    if (
      last?.batch === batch.id &&
      last.attribution === attribution &&
      last.sender === sender &&
      last.reported === reported &&
      last.report === report
    ) {
      last.numbers.add(outcome)
      return
    }
    const { samples } = report
    const source = {
      domain: sender.domain ?? '',
      connector: (attribution as Attributed).connector ?? '',
      ip: samples ? session.source : ANYBODY.ip,
      user: samples ? userOf(session) : ANYBODY.user,
    }
    const numbers = batch.addSource(source, reported, outcome, sender.owner)
    if (!samples || !batch.wantsSample(source, reported)) {
      const { id } = batch
      session.lastSource = numbers && { batch: id, attribution, sender, reported, report, numbers }
      return
    }
    const messageId = haraka.header?.get('Message-ID') ?? ''
    const helo = connection.hello.host ?? ''
    batch.addSample(
      source,
      shortened(messageId.trim(), LONGEST_MESSAGE_ID),
      shortened(helo, LONGEST_HELO),
      reported,
    )
  }

  /**
   * Counts a message whose header From was checked; once for each. Never throws.
   *
   * @param mismatched the domain in From that is no accepted domain; empty: From names none; `undefined`: it matches.
   */
  headerFrom({ attribution, sender }: Transaction, mismatched: string | undefined): void {
    if (attribution.kind !== 'attributed') return
    try {
      const batch = this.engine()?.tally.batchOf(attribution.tenant)
      const domain = mismatched && shortened(mismatched, LONGEST_DOMAIN)
      batch?.addHeaderFrom(sender.class, attribution.connector ?? '', domain)
    } catch (error) {
      const message = messageOf(error)
      this.log.say(message, `header From not recorded: ${message}`)
    }
  }
}

function noteConnector(batch: Batch, { connector, method }: Attributed, session: Session): void {
  if (connector === undefined) return
  batch.noteConnector(connector, method === 'tls' ? (session.shownCertificate?.expires ?? 0) : 0)
}

/** What a connector can be registered with: the name in a verified certificate, else its fingerprint. */
function unattributedSource(session: Session): UnattributedSource {
  const { shownCertificate: shown } = session
  const name = shown?.verified ? shown.names[0] : undefined
  const certificate = name ?? shown?.fingerprint256.replaceAll(':', '').toLowerCase() ?? ''
  return {
    ip: session.source,
    user: userOf(session),
    certificate: shortened(certificate, LONGEST_CERTIFICATE),
  }
}

function userOf({ user }: Session): string {
  return user === undefined ? '' : shortened(normalizeAuthUser(user).user, LONGEST_USER)
}
