import { grouped } from '../base/lists'
import {
  CLASSES,
  KNOWN_CLASSES,
  LOOKED_CLASSES,
  lookedKey,
  USUAL_CLASS,
  type KnownClass,
} from '../mail/classes'
import type { Trigger } from '../mail/trigger'
import { addCounts, NOTHING } from '../reporting/counts'
import type { HourReport } from '../reporting/reader'
import type { LookedAt } from '../reporting/report'
import { byRecipients, total } from '../reporting/sum'
import type { DomainSum, Evidence } from './evidence'

/**
 * What a tenant may see of the evidence of its restriction. Each thing is named here, so that nothing of other tenants, of
 * operators or of their reasons comes along with what evidence gains later.
 */
export interface TenantEvidence
  extends
    LookedAt,
    Pick<Evidence, 'tenant' | 'case' | 'hours' | 'minutes' | 'top' | 'otherDomains' | 'samples'> {
  /** ms, server time */
  readonly restrictedAt: number
  readonly scope: Evidence['event']['scope']
  /** Absent: a person placed the restriction. */
  readonly trigger: Trigger | undefined
  /** The meter in that moment. */
  readonly windows: NonNullable<Evidence['event']['windows']>
}

/** Classes that say of a domain that another tenant owns it: their mail is shown as what it is for this tenant. */
const HIDDEN: readonly KnownClass[] = KNOWN_CLASSES.filter(
  (each) => CLASSES[each].owner === 'shown',
)

export function forTenant(evidence: Evidence): TenantEvidence {
  const { tenant, event, top, otherDomains } = evidence
  const { at, scope, trigger, windows = [] } = event
  return {
    ...{ tenant, case: evidence.case, restrictedAt: at, scope, trigger, windows, otherDomains },
    hours: evidence.hours.map(hourOf),
    minutes: grouped(
      evidence.minutes.map((row) => ({ ...row, class: shownAs(row.class) })),
      (row) => `${row.at} ${row.class} ${row.connector}`,
    ).map(([, some]) => ({ ...some[0]!, counts: total(some) })),
    top: { domain: domainsOf(top.domain), connector: top.connector, ip: top.ip, user: top.user },
    samples: evidence.samples.map((sample) => ({ ...sample, class: shownAs(sample.class) })),
    ...(Object.fromEntries(
      LOOKED_CLASSES.map((each) => [lookedKey(each), evidence[lookedKey(each)]]),
    ) as LookedAt),
  }
}

/** What a tenant is told that mail was. */
export function shownAs<C extends KnownClass>(of: C): C | typeof USUAL_CLASS {
  return HIDDEN.includes(of) ? USUAL_CLASS : of
}

function hourOf(hour: HourReport): HourReport {
  const counts = { ...hour }
  for (const each of HIDDEN) {
    counts[USUAL_CLASS] = addCounts(counts[USUAL_CLASS], hour[each])
    counts[each] = NOTHING
  }
  return counts
}

function domainsOf(sums: readonly DomainSum[]): DomainSum[] {
  return grouped(
    sums.map((sum) => ({ ...sum, class: shownAs(sum.class) })),
    (sum) => `${sum.class} ${sum.key}`,
  )
    .map(([, some]) => ({ class: some[0]!.class, key: some[0]!.key, counts: total(some) }))
    .sort(byRecipients)
}
