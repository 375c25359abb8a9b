import type { Config } from '../../src/process/config'
import { attribute, type Attribution, type Facts } from '../../src/decision/attribution'
import type { Directory } from '../../src/directory/directory'
import { sourceOf } from '../../src/base/ip-prefixes'
import type { Connection } from '../kit/haraka'
import { peerCertificate, type ShownCertificate } from './peer-certificate'
import type { Transit } from './transaction'

const UNDECIDABLE: Attribution = { kind: 'undecidable' }

/** The identities of one SMTP session, and what they were attributed to. */
export class Session {
  transit: Transit | undefined
  /** We made the session a relaying one (`grant_relay`). */
  granted = false

  private ip: string | undefined
  private sourceText: string | undefined
  private authUser: unknown
  private authentications = 0
  private certificate: unknown
  private note: unknown
  /** What had been shown before the remote address changed: it is somebody else's. */
  private stale: { authUser: unknown; authentications: number; certificate: unknown } | undefined

  private certificateFacts: ShownCertificate | undefined
  private attributed: Attribution | undefined
  private attributedAt = -1
  private attributedBy: Config['attribution'] | undefined

  /**
   * Notes the remote address. XCLIENT and PROXY change it, and Haraka keeps `notes.auth_user` and the certificate of
   * the session before (plugins/xclient.js).
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

  /** The AUTH user as {@link attribution} has last seen it; `undefined`: none, or one of another remote address. */
  get user(): string | undefined {
    const { authUser, stale } = this
    if (typeof authUser !== 'string' || authUser === '') return undefined
    const isStale = stale?.authUser === authUser && stale.authentications === this.authentications
    return isStale ? undefined : authUser
  }

  /** Ends the transaction that is on its way, if any, and gives it. */
  endTransit(): Transit | undefined {
    const { transit } = this
    this.transit = undefined
    transit?.end()
    return transit
  }

  /** The remote address as {@link attribution} has last seen it, or the /64 that it is in. */
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
    this.look(connection, settings)
    if (
      this.attributed !== undefined &&
      this.attributedAt === directory.version &&
      this.attributedBy === settings
    ) {
      return this.attributed
    }
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

  /** Drops the cached answer where a fact is another than it came from. */
  private look(connection: Connection, settings: Config['attribution']): void {
    this.noteAddress(connection)
    const authUser = connection.notes['auth_user']
    const { peerCertificate: certificate } = connection.tls
    const note = settings.note === '' ? undefined : connection.notes[settings.note]
    const authentications = authUser === undefined ? 0 : authenticationsOf(connection)
    if (certificate !== this.certificate) {
      this.certificateFacts = peerCertificate(connection)
    } else if (
      authUser === this.authUser &&
      authentications === this.authentications &&
      note === this.note
    ) {
      return
    }
    this.authUser = authUser
    this.authentications = authentications
    this.certificate = certificate
    this.note = note
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

/** The answer is not cached: the next use finds the owner in the directory without waiting. */
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
  // Not what the directory holds: where owners change all the time, that is to be asked for again already.
  const { connectors, connectorsAreRead } = directory
  return attribute(facts, { connectors, connectorsAreRead, ownerOf: () => owner }, settings)
}

/** How often the session has authenticated (plugins/auth/auth_base.js adds a `pass` each time). */
function authenticationsOf(connection: Connection): number {
  const passes = connection.results.get('auth')?.['pass']
  return Array.isArray(passes) ? passes.length : 0
}
