import { count } from '../../base/count'
import { grouped } from '../../base/lists'
import type { ApplyReport } from '../../tenants-file/apply'
import type { ByKind, Removal } from '../../tenants-file/report'
import type { Output } from '../kit/output'

/** A tenants file as it was applied, as JSON. */
export function applyView(report: ApplyReport, past: readonly string[], dryRun: boolean): object {
  const { added, updated, unchanged, left, removed, refused, errors, changes, detached } = report
  return {
    dry_run: dryRun,
    ...{ added, updated, unchanged, left, removed, refused, errors },
    ...{ changes, detached, past_limits: past },
  }
}

/** The same for people: what changes, and the sum. */
export function printApplied(
  out: Output,
  report: ApplyReport,
  past: readonly string[],
  dryRun: boolean,
): void {
  const changes = new Map(grouped(report.changes, ({ of }) => of))
  for (const [done, planned, texts] of [
    ['added', 'would add', report.added],
    ['updated', 'would update', report.updated],
    ['removed', 'would remove', report.removed],
    ['not in the file, kept:', 'not in the file:', report.left],
    [
      'detached from the file, left alone: tenant',
      'detached from the file: tenant',
      report.detached,
    ],
  ] as const) {
    for (const text of texts) {
      out.line(`${dryRun ? planned : done} ${text}`)
      if (texts !== report.updated) continue
      for (const { what, from, to } of changes.get(text) ?? []) {
        out.line(`  ${what}: ${from} → ${to}`)
      }
    }
  }
  out.line([...sums(report, dryRun), `${report.unchanged} unchanged`].join('; '))
  if (past.length > 0) {
    const names = past.slice(0, NAMED).join(', ')
    const more = past.length > NAMED ? ` and ${past.length - NAMED} more` : ''
    out.line(
      `${count(past.length, 'tenant')} past ${past.length === 1 ? 'its' : 'their'} new limits now: ${names}${more}`,
      'warn',
    )
  }
}

const NAMED = 10

function sums({ counts, removal }: ApplyReport, dryRun: boolean): string[] {
  return [
    [dryRun ? 'would add' : 'added', counts.added] as const,
    [dryRun ? 'would update' : 'updated', counts.updated] as const,
    [dryRun ? 'would remove' : 'removed', removed(removal)] as const,
  ].flatMap(([verb, of]) => {
    const parts = (['tenant', 'domain', 'connector'] as const)
      .filter((kind) => of[kind] > 0)
      .map((kind) => count(of[kind], kind))
    return parts.length === 0 ? [] : [`${verb} ${parts.join(', ')}`]
  })
}

function removed({ tenants, domains, connectors }: Removal): ByKind {
  const sum = (numbers: ReadonlyMap<string, number>): number =>
    [...numbers.values()].reduce((all, each) => all + each, 0)
  return { tenant: tenants.length, domain: sum(domains), connector: sum(connectors) }
}
