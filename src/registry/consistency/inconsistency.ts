/** A contradiction in the registry, as a crash or a restored backup leaves it. */
export interface Inconsistency {
  readonly kind:
    | 'claim-without-entry'
    | 'entry-without-claim'
    | 'claim-with-other-flags'
    | 'covered-twice'
    | 'owner-index'
    | 'unfinished-move'
    | 'interrupted-change'
    | 'tenant-index'
    | 'restricted-index'
    | 'connector-without-tenant'
    | 'identity-table'
    | 'identity-doubled'
  /** What is wrong, for people. */
  readonly text: string
  /** What the repair does, or what a person has to do if it cannot know. */
  readonly remedy: string
  /** Whether the repair can do it. */
  readonly repairable: boolean
  /** The tenant that it is about, or empty. */
  readonly tenant: string
  /** What of it: a domain, `tenant/name`, or a field of the table of identities; or empty. */
  readonly subject: string
}

/** An inconsistency that the repair can resolve. */
export function repairable(
  kind: Inconsistency['kind'],
  about: { tenant?: string; subject?: string },
  text: string,
  remedy: string,
): Inconsistency {
  return { kind, text, remedy, repairable: true, tenant: '', subject: '', ...about }
}

/** An inconsistency that only a person can resolve. */
export function forAPerson(
  kind: Inconsistency['kind'],
  about: { tenant?: string; subject?: string },
  text: string,
  remedy: string,
): Inconsistency {
  return { ...repairable(kind, about, text, remedy), repairable: false }
}
