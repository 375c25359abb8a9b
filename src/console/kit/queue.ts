import { tenantctl } from '../../base/command-line'
import { count } from '../../base/count'
import { heldText, namesOf } from '../../cli/views/queue'
import { duration } from '../../cli/kit/output'
import { sumOf, type HostList } from '../../operations/queue-orders'
import { parseQueueFilter, queueFilterText, type QueueFilter } from '../../outbound/filter'
import type { Amount, ListedMail } from '../../outbound/order'
import { html, NOTHING, type Html } from './html'
import { facts, outside, state, table, time } from './parts'
import { linesOf } from './printed'

/** Messages that a page shows. */
const MOST_SHOWN = 100
const MOST_RECIPIENTS = 5

/** What mail can be chosen by, and how it is called. */
export const FILTERS = {
  connector: 'Connector',
  domain: 'Sender domain',
  sender: 'Sender',
  class: 'Class',
} as const

/** The filters that a form or a query has. @param text what it has for a key; empty: any. @throws {InputError} */
export function filtersIn(text: (key: string) => string): QueueFilter[] {
  return Object.keys(FILTERS).flatMap((key) =>
    text(key) === '' ? [] : [parseQueueFilter(`${key}=${text(key)}`)],
  )
}

/** The command that does the same. */
export function queueCommand(
  action: 'list' | 'show' | 'drop',
  tenant: string,
  where: readonly QueueFilter[],
): string {
  const filters = where.flatMap((each) => ['--where', queueFilterText(each)])
  return tenantctl('queue', tenant, action, ...filters)
}

/** How much mail there is, by host and class. */
export function queuedClasses(tenant: string, hosts: readonly HostList[]): Html {
  const nameOf = namesOf(hosts.map(({ host }) => host))
  const held = heldText(hosts, tenant)
  const amount = ({ classes }: HostList): string =>
    Object.entries(classes)
      .map(([name, number]) => `${number} ${name}`)
      .join(', ')
  return html`${facts(hosts.map((each) => [nameOf(each.host), amount(each) || 'nothing']))}
  ${held === undefined ? NOTHING : html`<p>${held}</p>`}`
}

/** Messages in the queues of hosts, the oldest first. @param there how many of a list there are. */
export function queuedMail(
  hosts: readonly HostList[],
  empty: string,
  there: (list: HostList) => Amount = ({ all }) => all,
): Html {
  const { shown, left } = oldest(hosts, there)
  const nameOf = namesOf(hosts.map(({ host }) => host))
  return html`${table(
    'Mail in the queue, the oldest first',
    ['Arrived', 'Class', 'Connector', 'Sender', 'Recipients', 'Next attempt', 'Host', 'File'],
    shown.map(({ host, ...mail }) => [
      time(mail.arrived),
      mail.class,
      outside(mail.connector ?? '(none)'),
      outside(mail.sender || '<>'),
      recipientsOf(mail),
      nextAttempt(mail),
      nameOf(host),
      mail.file,
    ]),
    empty,
  )}
  ${left > 0 ? html`<p>${count(left, 'more message')} not shown.</p>` : NOTHING}`
}

/** The header and the recipients of each message. */
export function queuedHeaders(tenant: string, hosts: readonly HostList[]): Html {
  const { shown, left } = oldest(hosts, ({ all }) => all)
  return html`${shown.map(
    ({ host, ...mail }) =>
      html`<section>
        ${facts([
          ['File', `${mail.file} on ${host.name}`],
          ['Class', mail.class],
          ['Next attempt', nextAttempt(mail)],
          ['Sender', outside(mail.sender || '<>')],
          ['Recipients', recipientsOf(mail)],
        ])}
        ${linesOf(mail.headers ?? [])}
      </section>`,
  )}
  ${
    shown.length === 0
      ? html`<p class="empty">No host that answered holds such mail of ${tenant}.</p>`
      : NOTHING
  }
  ${left > 0 ? html`<p>${count(left, 'more message')} not shown.</p>` : NOTHING}`
}

function oldest(hosts: readonly HostList[], there: (list: HostList) => Amount) {
  const all = hosts
    .flatMap(({ host, mail }) => mail.map((each) => ({ ...each, host })))
    .sort((a, b) => a.arrived - b.arrived)
  const shown = all.slice(0, MOST_SHOWN)
  return { shown, left: sumOf(hosts.map(there)).messages - shown.length }
}

function recipientsOf({ recipients, recipientCount }: ListedMail): Html {
  const shown = recipients.slice(0, MOST_RECIPIENTS)
  const more = recipientCount - shown.length
  return html`${outside(shown.join(', '))}${more > 0 ? ` and ${more} more` : ''}`
}

function nextAttempt({ held, nextAttempt: at }: ListedMail): Html | string {
  if (held) return state('held', 'warn')
  const wait = at - Date.now()
  return wait > 0 ? `in ${duration(wait)}` : 'now'
}
