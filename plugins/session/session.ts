import type { Config } from '../../src/process/config'
import { attribute, type Attribution, type Facts } from '../../src/decision/attribution'
import type { Directory } from '../../src/directory/directory'
import type { Snapshot } from '../../src/directory/snapshot'
import { sourceOf } from '../../src/base/ip-prefix'
import type { Connection, HarakaTransaction } from '../kit/haraka'
import { LastSender } from './last-sender'
import type { CountedSource } from './counted-source'
import { peerCertificate, type ShownCertificate } from './peer-certificate'
import { Transaction } from './transaction'

const UNDECIDABLE: Attribution = { kind: 'undecidable' }

/** One SMTP session: its identities, its tenant and connector, and its transaction. */
export class Session {
  private current: Transaction | undefined
  private readonly lastSender = new LastSender()
  /** `undefined`: the next message may need more than to be added. */
  lastSource: CountedSource | undefined
  /** This plugin has allowed the session to relay (`grant_relay`). */
  private granted = false

  private ip: string | undefined
  private sourceText: string | undefined
  private authUser: unknown
  private authentications = 0
  private certificate: unknown
  private note: unknown
  /** Shown before the remote address changed, so by another client. */
  private stale: { authUser: unknown; authentications: number; certificate: unknown } | undefined

  private certificateFacts: ShownCertificate | undefined
  private attributed: Attribution | undefined
  private attributedAt = -1
  private attributedBy: Config['attribution'] | undefined

  private snapshot: Snapshot | undefined
  private snapshotVersion = -1

  /**
   * Notes the remote address. XCLIENT and PROXY change it, but Haraka keeps `notes.auth_user` and the certificate of the
   * previous client (plugins/xclient.js).
   */
  noteAddress(connection: Connection): void {
    const { ip } = connection.remote
    if (ip === this.ip) return
    if (this.ip !== undefined) {
      this.stale = {
        authUser: connection.notes['auth_user'],
        authentications: authenticationsOf(connection),
        certificate: connection.tls.peerCertificate,
      }
    }
    this.ip = ip
    this.sourceText = undefined
    this.granted = false
    this.attributed = undefined
  }

  /** The AUTH user at the last {@link attribution}; `undefined`: none, or one of another remote address. */
  get user(): string | undefined {
    const { authUser, stale } = this
    if (typeof authUser !== 'string' || authUser === '') return undefined
    const isStale = stale?.authUser === authUser && stale.authentications === this.authentications
    return isStale ? undefined : authUser
  }

  get transaction(): Transaction | undefined {
    return this.current
  }

  begin(haraka: HarakaTransaction): Transaction {
    return (this.current = new Transaction(haraka, this.lastSender))
  }

  /** Ends the current transaction, if any, and returns it. */
  end(): Transaction | undefined {
    const { current } = this
    this.current = undefined
    current?.end()
    return current
  }

  /**
   * `grant_relay`: a session that matches an enabled connector may relay. Before MAIL the grant holds for the session,
   * within a transaction for that transaction only (connection.js, `relaying`); it ends when the session no longer matches.
   * A blocked connector counts as enabled: this plugin refuses its mail with a reply of its own.
   */
  grantRelay(connection: Connection, attribution: Attribution): void {
    const matches =
      attribution.kind === 'attributed' &&
      attribution.enabled &&
      attribution.connector !== undefined
    if (matches && !connection.relaying) {
      this.granted = true
      connection.relaying = true
    } else if (!matches && this.mayRevoke(attribution)) {
      connection.relaying = false
    }
  }

  /** AUTH may have allowed relaying too; and while connectors cannot be looked up, a grant stays. */
  private mayRevoke(attribution: Attribution): boolean {
    return this.granted && attribution.kind !== 'undecidable' && this.user === undefined
  }

  /** The remote address at the last {@link attribution}: an IPv4 address, or the /64 of an IPv6 address. */
  get source(): string {
    return (this.sourceText ??= sourceOf(this.ip ?? ''))
  }

  /** The client's certificate; `undefined`: none, or one of another remote address. */
  get shownCertificate(): ShownCertificate | undefined {
    const { stale, certificate } = this
    return stale !== undefined && stale.certificate === certificate
      ? undefined
      : this.certificateFacts
  }

  /**
   * The tenant and connector of the session. Cached until AUTH, the certificate, the remote address, the note, the
   * directory's connectors or owners, or the settings change.
   */
  attribution(
    connection: Connection,
    directory: Directory,
    settings: Config['attribution'],
  ): Attribution | Promise<Attribution> {
    if (this.isAttributed(connection, directory, settings)) return this.attributed!
    this.observe(connection, settings)
    const version = directory.version
    const facts = this.facts(connection)
    const attribution = attribute(facts, directory, settings)
    if (attribution.kind === 'ask-owner') {
      return askThenAttribute(facts, attribution.domain, directory, settings)
    }
    if (attribution.kind !== 'undecidable') {
      this.attributed = attribution
      this.attributedAt = version
      this.attributedBy = settings
    }
    return attribution
  }

  /** Whether the tenant, the connector and the cached tenant's data are those of the last {@link attribution}. */
  isUnchanged(
    connection: Connection,
    directory: Directory,
    settings: Config['attribution'],
  ): boolean {
    return (
      this.snapshotVersion === directory.tenantsVersion &&
      this.isAttributed(connection, directory, settings)
    )
  }

  private isAttributed(
    connection: Connection,
    directory: Directory,
    settings: Config['attribution'],
  ): boolean {
    return (
      this.attributed !== undefined &&
      this.attributedAt === directory.version &&
      this.attributedBy === settings &&
      connection.remote.ip === this.ip &&
      !this.hasNewIdentity(connection, settings)
    )
  }

  /** The cached tenant, without waiting; asked of the directory only where its answer may be another one. */
  tenant(directory: Directory, id: string): Snapshot | undefined {
    if (this.snapshotVersion !== directory.tenantsVersion || this.snapshot?.tenant !== id) {
      this.snapshot = directory.peek(id)
      this.snapshotVersion = directory.tenantsVersion
    }
    return this.snapshot
  }

  /** Whether AUTH, the certificate or the note is another one than at the last {@link attribution}. */
  private hasNewIdentity(connection: Connection, { note }: Config['attribution']): boolean {
    const { notes, tls } = connection
    const authUser = notes['auth_user']
    return (
      authUser !== this.authUser ||
      tls.peerCertificate !== this.certificate ||
      (note !== '' && notes[note] !== this.note) ||
      (authUser !== undefined && authenticationsOf(connection) !== this.authentications)
    )
  }

  /** Drops the cached attribution where an identity has changed. */
  private observe(connection: Connection, settings: Config['attribution']): void {
    this.noteAddress(connection)
    if (!this.hasNewIdentity(connection, settings)) return
    const { notes, tls } = connection
    const { note } = settings
    if (tls.peerCertificate !== this.certificate) {
      this.certificate = tls.peerCertificate
      this.certificateFacts = peerCertificate(connection)
    }
    this.authUser = notes['auth_user']
    this.authentications = this.authUser === undefined ? 0 : authenticationsOf(connection)
    this.note = note === '' ? undefined : notes[note]
    this.attributed = undefined
  }

  private facts(connection: Connection): Facts {
    return {
      authUser: this.user,
      certificate: this.shownCertificate,
      ip: connection.remote.ip,
      note: typeof this.note === 'string' ? this.note : undefined,
    }
  }
}

/** The result is not cached: the next call finds the owner in the directory without waiting. */
async function askThenAttribute(
  facts: Facts,
  domain: string,
  directory: Directory,
  settings: Config['attribution'],
): Promise<Attribution> {
  let owner: string | null
  try {
    owner = await directory.askOwner(domain)
  } catch {
    return UNDECIDABLE
  }
  // This answer and not the directory: while owners keep changing, the directory may have dropped it already.
  const { connectors, connectorsAreRead } = directory
  return attribute(facts, { connectors, connectorsAreRead, ownerOf: () => owner }, settings)
}

/** How often the session has authenticated (plugins/auth/auth_base.js adds a `pass` each time). */
function authenticationsOf(connection: Connection): number {
  const passes = connection.results.get('auth')?.['pass']
  return Array.isArray(passes) ? passes.length : 0
}
