import { sourceOf } from '../../base/ip-prefix'
import { Links } from './links'
import type { Person } from './person'
import { readProxied, type Proxied, type Proxy, type RawHeaders, type Refusal } from './proxy'
import { Sessions, type Session } from './sessions'
import { Throttle } from './throttle'

/** Links that do not work, in a minute and from an address. */
const MOST_TRIES = 10

/** Who sends a request, before its cookie is looked at. */
export interface Sender {
  readonly headers: RawHeaders
  /** The address of the other end of the connection. */
  readonly peer: string
}

/** A request, as far as it says who sends it. */
export interface Arriving extends Sender {
  readonly cookie: string | undefined
  /** false: the page asks by itself. */
  readonly isUse: boolean
}

/** Who sends a request. */
export type Arrival =
  | {
      readonly address: string
      /** `undefined`: no person is signed in. */
      readonly session: Session | undefined
      /** The cookie of a session that begins with this request. */
      readonly cookie?: string
    }
  | Refusal

/** Who gets in: by a link, or by the word of a proxy. */
export class Entry {
  readonly sessions: Sessions
  readonly links: Links
  private readonly tries: Throttle

  /**
   * @param proxy `undefined`: links alone let people in.
   * @param note a line for the log.
   * @param now ms since the epoch.
   */
  constructor(
    readonly proxy: Proxy | undefined,
    private readonly note: (line: string) => void,
    now: () => number = Date.now,
  ) {
    this.sessions = new Sessions(now)
    this.links = new Links(now)
    this.tries = new Throttle(MOST_TRIES, now)
  }

  /** Where a request comes from, and what the proxy says of it. */
  sender({ headers, peer }: Sender): Proxied | Refusal {
    if (!this.proxy) return { person: undefined, address: peer }
    const said = readProxied(this.proxy, headers, peer)
    if ('why' in said) this.failed(peer, said.why)
    return said
  }

  arrive({ cookie, isUse, ...from }: Arriving): Arrival {
    const said = this.sender(from)
    if ('why' in said) return said
    const { person, address, unlisted } = said
    const session = this.sessions.find(cookie, isUse)
    if (session?.person.provider === 'console') return { address, session }
    // From here on the proxy decides, with each request.
    if (person !== undefined && session?.person.subject === person.subject) {
      session.person = person
      return { address, session }
    }
    if (session) this.sessions.end(session.id)
    if (unlisted) {
      this.failed(address, unlisted.why)
      return unlisted
    }
    if (person === undefined || !isUse) return { address, session: undefined }
    return { address, ...this.begin(person, address, 'through the proxy') }
  }

  /** Seconds until a link may be tried from this address; 0: it may. */
  wait(address: string): number {
    return this.tries.wait(sourceOf(address))
  }

  /** Whom a link would sign in. */
  look(token: string, address: string): Person | undefined {
    const person = this.links.look(token)
    if (!person) this.failed(address, 'a link that was used, is over, or never was')
    return person
  }

  /**
   * Signs a person in by a link, with a new session.
   *
   * @param before the cookie that the browser had.
   */
  signIn(
    token: string,
    address: string,
    before: string | undefined,
  ): { readonly cookie: string; readonly session: Session } | undefined {
    const person = this.look(token, address) && this.links.take(token)
    if (!person) return undefined
    const old = this.sessions.find(before, false)
    if (old) this.sessions.end(old.id)
    return this.begin(person, address, 'by a link')
  }

  private begin(person: Person, address: string, how: string) {
    this.note(`${person.name} signed in ${how} as ${person.role}, from ${address}`)
    return this.sessions.begin(person, address)
  }

  /** Past the limit nothing more is noted: a client could fill the log. */
  private failed(address: string, why: string): void {
    if (this.wait(address) === 0) this.note(`sign-in failed from ${address}: ${why}`)
    this.tries.count(sourceOf(address))
  }
}
