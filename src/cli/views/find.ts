import { isoDay } from '../../base/time'
import type { FoundAll } from '../../operations/find'
import { HOURS_KEPT, MOST_INDEXED } from '../../reporting/bounds'
import type { Found, Seen } from '../../reporting/mail-index'
import { caseView } from './case'
import { connectorView } from './connector'

/** How a kind is called in JSON and in sentences. */
type Kinds = readonly (readonly [name: string, words: string, found: Found<unknown>])[]

function kindsOf({ mail, ...found }: FoundAll): Kinds {
  return [
    ['tenants', 'tenants', found.tenants],
    ['domains', 'accepted domains', found.domains],
    ['connectors', 'connectors', found.connectors],
    ['cases', 'cases', found.cases],
    ['sender_domains', 'sender domains', mail.domains],
    ['addresses', 'addresses', mail.addresses],
    ['message_ids', 'Message-IDs', mail.messageIds],
  ]
}

/** Whether anything was found. */
export function isAnything(found: FoundAll): boolean {
  return kindsOf(found).some(([, , { items }]) => items.length > 0)
}

/** What was found, as JSON. */
export function findView(found: FoundAll): object {
  const { tenants, domains, connectors, cases, mail } = found
  const kinds = kindsOf(found)
  return {
    tenants: tenants.items.map(({ id, name, restricted }) => ({ tenant: id, name, restricted })),
    domains: domains.items.map(({ domain, tenant, subdomains, shared }) => ({
      ...{ domain, tenant, subdomains, shared },
    })),
    connectors: connectors.items.map(connectorView),
    cases: cases.items.map(caseView),
    sender_domains: mail.domains.items.map(seenView('domain')),
    addresses: mail.addresses.items.map(seenView('address')),
    message_ids: mail.messageIds.items.map(seenView('message_id')),
    more: kinds.filter(([, , { hasMore }]) => hasMore).map(([name]) => name),
    full_days: mail.fullDays.map(isoDay),
  }
}

function seenView(name: string): (seen: Seen) => object {
  return ({ value, tenant, day }) => ({
    ...{ [name]: value, tenant: tenant || null, last_day: isoDay(day) },
  })
}

/** What is not shown, or cannot be found, for people. */
export function notesOf(found: FoundAll): string[] {
  const { fullDays, isEmpty } = found.mail
  return [
    ...kindsOf(found)
      .filter(([, , { hasMore }]) => hasMore)
      .map(
        ([, words, { items }]) =>
          `There are more than ${items.length} ${words}: give more of the name.`,
      ),
    ...fullDays.map(
      (day) =>
        `Mail of ${isoDay(day)} showed more than ${MOST_INDEXED.toLocaleString('en-US')} domains, addresses and Message-IDs: what came last is not found.`,
    ),
    ...(isEmpty
      ? [
          `Of mail of the last ${HOURS_KEPT} days nothing can be found: none came from unregistered domains, or all processes run an earlier release.`,
        ]
      : []),
  ]
}
