import type { Meter } from '../../../src/mail/meters'
import type { KnownClass } from '../../../src/mail/classes'
import type { Explanation } from '../../../src/explain/explain'
import type { Scope } from '../../../src/mail/scope'
import { mail } from '../../message/proof/asking'
import type { TenantOptions } from '../../support'

/** A tenant for one row. */
export const NEIGHBOUR = {
  id: 'neighbour',
  domains: [
    { domain: 'neighbour.example', subdomains: true },
    { domain: 'narrow.example' },
    { domain: 'common.example', shared: true },
  ],
}

/** The reply to one command: the plugin's, byte for byte, or `ok` where Haraka accepts. */
export type Said = string

/** A message of a tenant, and its expected result. In all texts OWN is the tenant’s own domain. */
export interface Row {
  readonly what: string
  /** Default: the shipped settings and a trusted sealer. */
  readonly on?: 'strict'
  /** Default: 100 recipients an hour, and no allowance for forwards. */
  readonly tenant?: TenantOptions
  readonly restricted?: Scope
  /** What has been counted before. */
  readonly before?: { readonly unregistered?: number; readonly forwarded?: number }
  readonly from: string
  /** Default: one outside of the tenant. */
  readonly to?: readonly string[]
  /** Default: a letter with that From. */
  readonly message?: (own: string) => string | Promise<string>
  readonly expected: Expected
}

export interface Expected {
  readonly class: KnownClass
  /** The proof in the log, or why there is none; absent: none was looked for. */
  readonly proof?: string
  /** On each meter afterwards; absent: 0. */
  readonly counts?: Partial<Record<Meter, number>>
  readonly mail?: Said
  /** Default: `ok`, of each. */
  readonly rcpts?: readonly Said[]
  readonly end?: Said
  /** The tenant is restricted afterwards, and was not before. */
  readonly trips?: true
  /** The sender’s domain in `explain`; absent: not checked, null: it has none. */
  readonly domain?: string | null
  /** Where `explain` differs for the first recipient alone. */
  readonly explained?: Partial<Pick<Explanation, 'class' | 'verdict' | 'reply'>> & {
    readonly proof?: string
  }
}

/** For a tenant that may forward. */
export const FORWARDS: TenantOptions = { limits: '100/1h', forwardedLimits: '50/1h' }

/** A letter that came from outside to the tenant; fields replaced, added, or (undefined) left out. */
export function letter(own: string, changes: Parameters<typeof mail>[0] = {}): string {
  return mail({ To: `pupil@${own}`, ...changes })
}

export const count = (unregistered: number): Pick<Expected, 'counts'> => ({
  counts: { unregistered },
})

/** Unregistered mail that is counted. */
export const unregistered = (recipients = 1): Expected => ({
  class: 'unregistered',
  ...count(recipients),
})

/** The same for a tenant that may forward. */
export const unproven = (reason: string, recipients = 1): Expected => ({
  ...unregistered(recipients),
  proof: `none: ${reason}`,
})

/** A forward that is counted as such. */
export const proven = (by: string, recipients = 1): Expected => ({
  class: 'forwarded',
  proof: by,
  counts: { forwarded: recipients },
})

export const registered: Expected = { class: 'registered' }

export const recipients = (many: number): string[] =>
  Array.from({ length: many }, (_, at) => `r${at + 1}@far.example`)
