import { Cases } from '../../cases/cases'
import type { Case } from '../../cases/case'
import { findingsOf, type Findings } from '../../cases/findings'
import { ownDomains } from '../../operations/incident'
import { MINUTE } from '../../reporting/calendar'
import { serverTime } from '../../store/server-clock'
import { suggestDomains, type Suggestion } from '../../suggest/suggest'
import { dnsSaid } from '../kit/known-dns'
import type { Visit } from '../kit/page'
import { sharedBy } from '../kit/shared'

// What is read from all reports of a tenant, or from the hours of days. It changes slowly, so it is shown for a minute, and
// up to ten while it is read again. Each key has what changes it at once: a domain that was just registered, a tick.

const LATE = 10 * MINUTE

const ownBy = sharedBy(
  ({ store, config }, key) => ownDomains(store, config, key.slice(0, key.indexOf(' '))),
  MINUTE,
  LATE,
)

const suggestionBy = sharedBy(
  ({ store, config: { report, registry, console } }, key) => {
    const [tenant = '', domain] = key.split(' ')
    return suggestDomains(
      ...([store, tenant, report.days, dnsSaid(console.dns)] as const),
      ...([registry.neverRegister, domain] as const),
    )
  },
  MINUTE,
  LATE,
)

const findingsBy = sharedBy(
  async ({ store }, key) => {
    const of = await new Cases(store).existing(key.slice(0, key.indexOf(' ')))
    return findingsOf(store, of, await serverTime(store.client), true)
  },
  MINUTE,
  LATE,
)

/** Unregistered domains that are probably the tenant's own. */
export async function ownOf(visit: Visit, tenant: string): Promise<readonly string[]> {
  return ownBy(visit, `${tenant} ${await domainsToken(visit, tenant)}`)
}

/** The verdict on one domain, with what DNS has said so far. */
export async function suggestionOf(
  visit: Visit,
  tenant: string,
  domain: string,
): Promise<Suggestion> {
  return suggestionBy(visit, `${tenant} ${domain} ${await domainsToken(visit, tenant)}`)
}

/** What is known for the steps of a case. */
export async function findingsFor(visit: Visit, { name, tenant, ticks }: Case): Promise<Findings> {
  return findingsBy(visit, `${name} ${ticks.size} ${await domainsToken(visit, tenant)}`)
}

/** It changes with the accepted domains of a tenant. */
async function domainsToken({ store }: Visit, tenant: string): Promise<string | null> {
  return store.client.hget(store.keys.tenant(tenant), 'domains')
}
