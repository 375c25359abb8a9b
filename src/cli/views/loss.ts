import { count } from '../../base/count'
import type { DomainLoss } from '../../operations/domains'
import type { Loss, TenantLoss } from '../../operations/loss'

/** Tenants that are named; further ones are only counted. */
const NAMED = 10

/** What a removal takes away, a fact a line: tenants in use first. */
export function lossLines({ tenants, domains, connectors, recipients }: Loss): string[] {
  const whole = tenants.filter((each) => each.whole)
  const parts = tenants.filter((each) => !each.whole)
  const lines = [...named('tenant', whole), ...named('of tenant', parts)]
  if (tenants.length < 2) return lines
  return [
    ...lines,
    `in all: ${count(whole.length, 'tenant')}, ${theirs({ domains, connectors })}; ${mail(recipients)}`,
  ]
}

function named(title: string, tenants: readonly TenantLoss[]): string[] {
  const lines = tenants.slice(0, NAMED).map((each) => {
    const use = each.inUse ? mail(each.recipients) : 'no mail in the last seven days'
    return `${title} ${each.id}: ${theirs(each)}; ${use}`
  })
  const more = tenants.length - lines.length
  return more > 0 ? [...lines, `and ${count(more, 'more tenant')}`] : lines
}

function theirs({ domains, connectors }: Pick<Loss, 'domains' | 'connectors'>): string {
  return `${count(domains, 'domain')}, ${count(connectors, 'connector')}`
}

/** The mail that would lose its registration. */
function mail(recipients: number): string {
  return `${count(recipients, 'recipient')} of registered mail in the last day`
}

/** Domains that are named. */
const NAMED_DOMAINS = 5

/** What goes with accepted domains, a fact a line. */
export function domainLossLines({ tenant, domains, all, recipients }: DomainLoss): string[] {
  const named = domains.slice(0, NAMED_DOMAINS).join(', ')
  const left = domains.length - NAMED_DOMAINS
  const more = left > 0 ? ` and ${left.toLocaleString('en-US')} more` : ''
  return [
    `${tenant} has ${count(all, 'accepted domain')}; these go: ${named}${more}`,
    `mail from them is unregistered from then on: it is metered, and refused while ${tenant} is restricted`,
    `${tenant} had ${count(recipients, 'recipient')} of registered mail in the last day, from all its domains; by domain that is not recorded`,
  ]
}
