import { randomBytes } from 'node:crypto'
import { digest } from './secrets'
import type { Person } from './person'

/** How long a link can be used, in ms. */
const LIFE = 10 * 60_000
const MOST = 100

interface Link {
  readonly person: Person
  /** ms since the epoch */
  readonly until: number
}

/** Links that sign a person in, once. They end with this process. */
export class Links {
  /** By the digest of the token: what is in memory lets no person in. */
  private readonly all = new Map<string, Link>()

  /** @param now ms since the epoch. */
  constructor(private readonly now: () => number = Date.now) {}

  /** The secret part of a link. The oldest of too many links ends. */
  make(person: Person): string {
    const token = randomBytes(32).toString('base64url')
    this.all.set(digest(token), { person, until: this.now() + LIFE })
    const [oldest] = this.all.keys()
    if (this.all.size > MOST) this.all.delete(oldest!)
    return token
  }

  /** Whom a link would sign in; `undefined`: it was used, is over, or never was. */
  look(token: string): Person | undefined {
    const link = this.all.get(digest(token))
    return link && link.until > this.now() ? link.person : undefined
  }

  /** The same, and the link is used. */
  take(token: string): Person | undefined {
    const person = this.look(token)
    this.all.delete(digest(token))
    return person
  }
}
