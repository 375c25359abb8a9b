import type { Config } from '../../process/config'
import type { Store } from '../../store/store'
import type { Entry } from '../access/entry'
import type { Person } from '../access/person'

/** What the console of one process works with. */
export interface ConsoleSite {
  /** A connection that only reads, where one is configured. */
  readonly reading: Store
  readonly writing: Store
  readonly entry: Entry
  /** What the processes that handle mail have in effect. @throws what ioredis throws. */
  config(): Promise<Config>
  /** The store in the hands of a person, for the audit trail. */
  signed(person: Person): Store
  /**
   * Why nothing may be written now, for people; `undefined`: it may.
   *
   * @param isWrite something is to be written: Redis is asked, and not what was known a few seconds ago.
   * @throws what ioredis throws.
   */
  readOnly(isWrite: boolean): Promise<string | undefined>
  /** Scheme, host and port that browsers use, without a path. Several where it listens on loopback. */
  readonly origins: readonly string[]
  /** Path under which the console is served: empty, or such as `/relay`. */
  readonly base: string
  readonly cookie: { readonly name: string; readonly secure: boolean }
  /** Of this machine, for people. */
  readonly host: string
  /** A mistake of the program, for the log. */
  onFault(error: unknown): void
}
