import { isoDay } from '../../base/time'
import { connectorId } from '../../mail/identities'
import type { FoundAll } from '../../operations/find'
import { HOURS_KEPT, MOST_INDEXED } from '../../reporting/bounds'
import type { Found, Seen } from '../../reporting/mail-index'
import { caseView } from './case'
import { connectorView, identitiesOf } from './connector'

/** Something that was found, for people. */
export interface FoundRow {
  readonly name: string
  /** Empty: none. */
  readonly tenant: string
  readonly details: string
  readonly isBad?: boolean
}

/** What was found of one kind. */
export interface FoundKind {
  /** As JSON calls it. */
  readonly key: string
  readonly title: string
  /** What one of it is called. */
  readonly word: string
  readonly rows: readonly FoundRow[]
  readonly hasMore: boolean
}

/** All kinds, those of which nothing was found too. */
export function kindsOf({ tenants, domains, connectors, cases, mail }: FoundAll): FoundKind[] {
  return [
    kind('tenants', 'Tenants', 'tenant', tenants, ({ id, name, restricted }) => ({
      ...{ name, tenant: id, details: restricted ? 'restricted' : '', isBad: restricted },
    })),
    kind(
      'domains',
      'Accepted domains',
      'accepted domain',
      domains,
      ({ domain, tenant, subdomains, shared }) => ({
        ...{ name: domain, tenant },
        details: [subdomains ? 'with subdomains' : '', shared ? 'shared' : '']
          .filter(Boolean)
          .join(', '),
      }),
    ),
    kind('connectors', 'Connectors', 'connector', connectors, (each) => {
      const state = each.blocked ? 'blocked, ' : each.enabled ? '' : 'disabled, '
      const name = connectorId(each.tenant, each.name)
      const details = `${state}${identitiesOf(each)}`
      return { name, tenant: each.tenant, details, isBad: each.blocked !== undefined }
    }),
    kind('cases', 'Cases', 'case', cases, ({ name, tenant, opened, closed }) => ({
      ...{ name, tenant, details: `${closed ? 'closed' : 'open'}, of ${isoDay(opened)}` },
    })),
    kind('sender_domains', 'Sender domains', 'sender domain', mail.domains, seenRow),
    kind('addresses', 'Addresses', 'address', mail.addresses, seenRow),
    kind('message_ids', 'Message-IDs', 'Message-ID', mail.messageIds, seenRow),
  ]
}

function kind<T>(
  key: string,
  title: string,
  word: string,
  { items, hasMore }: Found<T>,
  row: (item: T) => FoundRow,
): FoundKind {
  return { key, title, word, hasMore, rows: items.map(row) }
}

function seenRow({ value, tenant, day }: Seen): FoundRow {
  return { name: value, tenant, details: `last on ${isoDay(day)}` }
}

/** Whether anything was found. */
export function isAnything(found: FoundAll): boolean {
  return kindsOf(found).some(({ rows }) => rows.length > 0)
}

/** What was found, as JSON. */
export function findView(found: FoundAll): object {
  const { tenants, domains, connectors, cases, mail } = found
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
    more: kindsOf(found)
      .filter(({ hasMore }) => hasMore)
      .map(({ key }) => key),
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
  const most = MOST_INDEXED.toLocaleString('en-US')
  return [
    ...kindsOf(found).flatMap(({ title, rows, hasMore }) =>
      hasMore ? [`${title}: there are more than these ${rows.length}; give more of the name.`] : [],
    ),
    ...fullDays.map(
      (day) =>
        `Mail of ${isoDay(day)} showed more than ${most} domains, addresses and Message-IDs: what came last is not found.`,
    ),
    ...(isEmpty
      ? [
          `Of mail of the last ${HOURS_KEPT} days nothing can be found: none came from unregistered domains, or all processes run an earlier release.`,
        ]
      : []),
  ]
}
