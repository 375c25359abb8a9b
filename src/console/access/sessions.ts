import { randomBytes } from 'node:crypto'
import { digest } from './secrets'
import { recordedAs, type Person } from './person'

const MINUTE = 60_000
/** A session ends when it was not used for this long, in ms. What a page asks by itself is no use. */
const IDLE = 30 * MINUTE
/** A session ends after this long in any case, in ms. */
const LONGEST = 12 * 60 * MINUTE
const MOST = 1000
const MOST_OF_PERSON = 20

/** What a person is told on the next page. */
export interface Notice {
  readonly tone: 'good' | 'warn' | 'bad'
  readonly lines: readonly string[]
  /** The command that does the same. */
  readonly command?: string
}

/** A person who is signed in, in one browser. */
export interface Session {
  /** For `sessions list` and `revoke`: it lets no person in. */
  readonly id: string
  /** A proxy may give the person another role. */
  person: Person
  /** Every form sends it back. */
  readonly token: string
  /** ms since the epoch */
  readonly begun: number
  used: number
  readonly address: string
  notice: Notice | undefined
}

/** The sessions of this process. They end with it: a restart costs one link. */
export class Sessions {
  /** By the digest of the cookie: what is in memory lets no person in. */
  private readonly all = new Map<string, Session>()

  /** @param now ms since the epoch. */
  constructor(private readonly now: () => number = Date.now) {}

  /** @returns the value of the cookie. A person who has too many sessions loses the one that was not used the longest. */
  begin(person: Person, address: string): { readonly cookie: string; readonly session: Session } {
    this.sweep()
    const cookie = randomBytes(32).toString('base64url')
    const time = this.now()
    const session: Session = {
      id: randomBytes(6).toString('hex'),
      ...{ person, address, notice: undefined, begun: time, used: time },
      token: randomBytes(32).toString('base64url'),
    }
    const name = recordedAs(person)
    this.endOldest(MOST_OF_PERSON, (each) => recordedAs(each.person) === name)
    this.endOldest(MOST, () => true)
    this.all.set(digest(cookie), session)
    return { cookie, session }
  }

  /** @param isUse false: the page asks by itself, which does not prolong the session. */
  find(cookie: string | undefined, isUse: boolean): Session | undefined {
    if (cookie === undefined) return undefined
    const key = digest(cookie)
    const session = this.all.get(key)
    if (!session) return undefined
    if (this.isOver(session)) {
      this.all.delete(key)
      return undefined
    }
    if (isUse) session.used = this.now()
    return session
  }

  list(): Session[] {
    this.sweep()
    return [...this.all.values()]
  }

  /** @param id `undefined`: all. @returns how many have ended. */
  end(id: string | undefined): number {
    const ended = [...this.all].filter(([, each]) => id === undefined || each.id === id)
    for (const [key] of ended) this.all.delete(key)
    return ended.length
  }

  private isOver({ begun, used }: Session): boolean {
    const time = this.now()
    return time - used > IDLE || time - begun > LONGEST
  }

  private sweep(): void {
    for (const [key, session] of this.all) if (this.isOver(session)) this.all.delete(key)
  }

  private endOldest(most: number, counts: (session: Session) => boolean): void {
    const those = [...this.all].filter(([, each]) => counts(each))
    if (those.length < most) return
    those.sort(([, a], [, b]) => a.used - b.used)
    for (const [key] of those.slice(0, those.length - most + 1)) this.all.delete(key)
  }
}
