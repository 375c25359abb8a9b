import type { Role } from '../../records/role'

/** Who uses the console. */
export interface Person {
  /** Who says so: `web`: the proxy; `console`: a person of this machine, by a link. */
  readonly provider: 'web' | 'console'
  /** Stable and unique for its provider. */
  readonly subject: string
  /** For display only. */
  readonly name: string
  readonly role: Role
}

/** The name that the records keep for what a person changes. No `--by` of a command can be the same. */
export function recordedAs({ provider, subject }: Pick<Person, 'provider' | 'subject'>): string {
  return `${provider}:${subject}`
}
