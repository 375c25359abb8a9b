import { isoTime, shortTime } from '../../base/time'
import { KNOWN_CLASSES, CLASSES, LOOKED_CLASSES, lookedKey } from '../../mail/classes'
import { formatWindow } from '../../mail/limits'
import { describeTrigger } from '../../mail/trigger'
import type { TenantEvidence } from '../../cases/for-tenant'
import { countsByClass, LEGEND } from './counts'
import { printHours, printSamples, printTops, sampleView, sumView } from './evidence'
import { headerFromsView, headerFromText } from './header-from'
import { minuteView, printMinutes } from './minutes'
import type { Cell, Output } from '../kit/output'
import { triggerView } from './restriction'

/** Names each field: see {@link TenantEvidence}. */
export function tenantEvidenceJson(evidence: TenantEvidence): object {
  const shown = KNOWN_CLASSES.filter((each) => CLASSES[each].owner !== 'shown')
  const { top } = evidence
  return {
    tenant: evidence.tenant,
    case: evidence.case,
    restricted_at: isoTime(evidence.restrictedAt),
    scope: evidence.scope,
    trigger: evidence.trigger ? triggerView(evidence.trigger) : null,
    windows: evidence.windows.map(({ window, limit, used }) => ({
      window: formatWindow(window),
      ...{ limit, used },
    })),
    hours: evidence.hours.map((hour) => ({ at: isoTime(hour.at), ...countsByClass(hour, shown) })),
    minutes: evidence.minutes.map(minuteView),
    domains: top.domain.map((sum) => ({ class: sum.class, ...sumView(sum) })),
    connectors: top.connector.map(sumView),
    ips: top.ip.map(sumView),
    users: top.user.map(sumView),
    other_domains: evidence.otherDomains,
    ...headerFromsView(evidence),
    samples: evidence.samples.map(sampleView),
  }
}

/** The page that an operator sends to a tenant. */
export function printTenantEvidence(out: Output, evidence: TenantEvidence): void {
  const { trigger, windows } = evidence
  const facts: [string, Cell][] = [
    ['tenant', evidence.tenant],
    ['case', evidence.case],
    ['restricted', shortTime(evidence.restrictedAt)],
    ['scope', evidence.scope],
  ]
  if (trigger) facts.push(['trigger', describeTrigger(trigger)])
  if (windows.length > 0) {
    const used = windows.map(
      (each) => `${each.used} of ${each.limit} in ${formatWindow(each.window)}`,
    )
    facts.push(['meter then', used.join(', ')])
  }
  out.facts(facts)
  printHours(out, evidence)
  printMinutes(out, evidence.minutes)
  printTops(out, evidence)
  printHeaderFroms(out, evidence)
  printSamples(out, evidence)
  out.line()
  out.line(LEGEND, 'faint')
}

function printHeaderFroms(out: Output, evidence: TenantEvidence): void {
  for (const each of LOOKED_CLASSES) {
    const found = evidence[lookedKey(each)]
    if (!found || found.mismatched === 0) continue
    out.line()
    out.line(headerFromText(found, each), 'warn')
  }
}
