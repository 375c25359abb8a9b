// What applying a file does, or would do, for people and programs.

/** What a file registers; the beginning of each text about it. */
export type Kind = 'tenant' | 'domain' | 'connector'

export type ByKind = Record<Kind, number>

/** A setting, flag or identity that changes. */
export interface Change {
  /** What it belongs to, as in {@link PlanReport.updated}: `tenant contoso`. */
  readonly of: string
  readonly what: string
  /** Texts; `default` for a setting and `none` for an identity that is not there. */
  readonly from: string
  readonly to: string
}

/** Texts for people: `domain contoso.com of contoso`. */
export interface PlanReport {
  readonly added: string[]
  readonly updated: string[]
  unchanged: number
  /** What came from this file and is not in it any more. */
  readonly left: string[]
  /** What was to be pruned and must stay, with the reason. */
  readonly refused: string[]
  /** What is different in all that is updated. */
  readonly changes: Change[]
  readonly counts: { readonly added: ByKind; readonly updated: ByKind }
}

/** What `prune` removes. */
export interface Removal {
  /** Tenants, with all that is theirs. */
  readonly tenants: string[]
  /** How many accepted domains and connectors of each tenant, those of removed tenants too. */
  readonly domains: Map<string, number>
  readonly connectors: Map<string, number>
}

export function newReport(): PlanReport {
  const none = (): ByKind => ({ tenant: 0, domain: 0, connector: 0 })
  return {
    ...{ added: [], updated: [], unchanged: 0, left: [], refused: [], changes: [] },
    counts: { added: none(), updated: none() },
  }
}

/** Adds a report to another one. */
export function addReport(sum: PlanReport, { counts, ...report }: PlanReport): void {
  sum.added.push(...report.added)
  sum.updated.push(...report.updated)
  sum.unchanged += report.unchanged
  sum.left.push(...report.left)
  sum.refused.push(...report.refused)
  sum.changes.push(...report.changes)
  for (const how of ['added', 'updated'] as const) {
    for (const kind of ['tenant', 'domain', 'connector'] as const) {
      sum.counts[how][kind] += counts[how][kind]
    }
  }
}
