import type { Config } from '../../src/process/config'
import { messageOf } from '../../src/base/errors'
import { normalizeAuthUser } from '../../src/names/auth-user'
import type { Attributed } from '../../src/decision/attribution'
import type { Engine } from '../../src/process/engine'
import type { SenderClass } from '../../src/decision/judge'
import type { Batch, SourceKind } from '../../src/reporting/batch'
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
import type { Transit } from './transaction'

/** Stands for everybody where nothing is to be kept that tells of a person. */
const ANYBODY: UnattributedSource = { ip: OTHER, user: OTHER, certificate: OTHER }

/** Counts each transaction for the reports when it has ended: in memory, without waiting, and whatever comes, without throwing. */
export class Recording {
  constructor(
    private readonly config: () => Config,
    private readonly engine: () => Engine | undefined,
    private readonly quiet: LogOnce,
    /** Is told of each message of the null sender. Must not throw. */
    private readonly onNull: (transit: Transit) => void,
  ) {}

  end(connection: Connection, session: Session, transit: Transit): void {
    // Most often nothing was said of it, as of all mail that is not relayed.
    if (transit.message === undefined) return
    try {
      this.record(connection, session, transit, transit as Outcome)
    } catch (error) {
      const message = messageOf(error)
      this.quiet.say(message, `not recorded: ${message}`)
    }
  }

  private record(
    connection: Connection,
    session: Session,
    transit: Transit,
    outcome: Outcome,
  ): void {
    const tally = this.engine()?.tally
    if (!tally) return
    const { attribution, standing } = transit
    if (attribution.kind === 'none' || attribution.kind === 'ambiguous') {
      const { samples } = this.config().report
      tally.unattributed?.add(samples ? unattributedSource(session) : ANYBODY, outcome)
      return
    }
    // Of a tenant that there is not, there are no reports either.
    if (attribution.kind !== 'attributed' || transit.snapshot === null) return
    const batch = tally.batchOf(attribution.tenant)
    if (!batch) return
    noteConnector(batch, attribution, session)
    if (standing.class === 'registered' || transit.isRegistered) batch.addRegistered(outcome)
    else if (standing.class === 'null') {
      batch.addNull(outcome)
      this.onNull(transit)
    } else this.recordSource(batch, connection, session, transit, outcome)
  }

  /** What comes from no accepted domain, and what nobody could classify. */
  private recordSource(
    batch: Batch,
    connection: Connection,
    session: Session,
    { attribution, standing, transaction }: Transit,
    outcome: Outcome,
  ): void {
    const { samples } = this.config().report
    const source = {
      domain: standing.domain ?? '',
      connector: (attribution as Attributed).connector ?? '',
      ip: samples ? session.source : ANYBODY.ip,
      user: samples ? userOf(session) : ANYBODY.user,
    }
    const kind = kindOf(standing.class)
    if (kind === 'x') batch.addForeign(source, standing.owner, outcome)
    else if (kind === 'f') batch.addForwarded(source, outcome)
    else batch.addSource(source, kind, outcome)
    if (!samples || !batch.wantsSample(source, kind)) return
    const messageId = transaction.header?.get('Message-ID') ?? ''
    const helo = connection.hello.host ?? ''
    batch.addSample(
      source,
      shortened(messageId.trim(), LONGEST_MESSAGE_ID),
      shortened(helo, LONGEST_HELO),
      kind,
    )
  }

  /**
   * Counts a message whose header From was looked at; at most once for each. Never throws.
   *
   * @param mismatched the domain there that is no accepted one, empty where it names none; `undefined`: all is well.
   */
  headerFrom({ attribution, standing }: Transit, mismatched: string | undefined): void {
    if (attribution.kind !== 'attributed') return
    try {
      const batch = this.engine()?.tally.batchOf(attribution.tenant)
      const domain = mismatched && shortened(mismatched, LONGEST_DOMAIN)
      const of = standing.class === 'null' ? 'null' : 'registered'
      batch?.addHeaderFrom(of, attribution.connector ?? '', domain)
    } catch (error) {
      const message = messageOf(error)
      this.quiet.say(message, `header From not recorded: ${message}`)
    }
  }
}

function kindOf(senderClass: SenderClass | undefined): SourceKind {
  if (senderClass === 'foreign') return 'x'
  if (senderClass === 'forwarded') return 'f'
  return senderClass === undefined ? '?' : 'u'
}

function noteConnector(batch: Batch, { connector, method }: Attributed, session: Session): void {
  if (connector === undefined) return
  batch.noteConnector(connector, method === 'tls' ? (session.shownCertificate?.expires ?? 0) : 0)
}

/** The name that a certificate may be believed, else its fingerprint: what a connector can be registered with. */
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
