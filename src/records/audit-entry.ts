/** A change, and who made it. */
export interface AuditEntry {
  /** ms since the epoch, server time */
  readonly at: number
  /** A tenant, a case (`tenant:number`), a connector (`tenant/name`), `host NAME`, or empty: the registry. */
  readonly subject: string
  /** Such as `domains added`. */
  readonly what: string
  /** The old value, for people; empty: none. */
  readonly from: string
  readonly to: string
  readonly os: string
  readonly redis: string
  readonly note: string
}

/**
 * Reads a line as `records/lua/include/audit.lua` writes it.
 *
 * @param tenant whose trail it is from; empty: of several.
 */
export function parseEntry(line: string, tenant: string): AuditEntry {
  const [at, subject, what = '', from = '', to = '', os = '', redis = '', note = ''] =
    line.split('\t')
  return { at: Number(at), subject: subject || tenant, what, from, to, os, redis, note }
}

/** The tenant that a subject belongs to; empty: none. */
export function tenantOf(subject: string): string {
  return /^[^/:]*/.exec(subject)![0]
}
