import { missingLines } from '../../cli/views/queue'
import { assertTenantId } from '../../mail/identities'
import { askQueues } from '../../operations/queue-orders'
import { serverTime } from '../../store/server-clock'
import { asking, form } from '../kit/forms'
import { html, NOTHING } from '../kit/html'
import type { Page } from '../kit/page'
import { heading, sameCommand } from '../kit/parts'
import { FILTERS, filtersIn, queueCommand, queuedClasses, queuedMail } from '../kit/queue'

/** A tenant's mail in the queues of all hosts. */
export const TENANT_QUEUE: Page = {
  path: '/tenants/:tenant/queue',
  least: 'operator',
  async show(visit) {
    const { params, query, writing, store } = visit
    const tenant = params['tenant'] ?? ''
    assertTenantId(tenant)
    const title = `Queue of ${tenant}`
    const text = (key: string): string => query.get(key)?.trim() ?? ''
    const where = filtersIn(text)
    if (visit.isPoll) return { title, rest: NOTHING }
    if (!writing) {
      const why = html`<p>Hosts are asked for it by orders, and nothing can be written now.</p>`
      return { title, rest: html`${heading(visit, 'queue', 1)} ${why}` }
    }
    const now = await serverTime(store.client)
    const list = await askQueues(writing, { tenant, where, for: 'list' })
    const path = ['tenants', tenant, 'queue']
    const filters = where.map(({ key, value }) => ({ kind: 'hidden' as const, name: key, value }))
    const chosen = Object.fromEntries(where.map(({ key, value }) => [key, value]))
    const common = { fields: filters, returnTo: visit.to(path, chosen) }
    return {
      title,
      rest: html`${heading(visit, 'queue', 1)}
        <p>
          <a href="${visit.to(['tenants', tenant])}">${tenant}</a>, as far as hosts have answered:
        </p>
        ${queuedClasses(tenant, list.hosts)}
        ${missingLines(list).map((line) => html`<p>${line}</p>`)}
        ${asking(
          visit,
          path,
          Object.entries(FILTERS).map(([name, label]) => ({
            ...{ kind: 'text' as const, name, value: text(name) },
            label: `${label} (empty: any)`,
          })),
        )}
        ${queuedMail(
          list.hosts,
          `No host that answered holds ${where.length > 0 ? 'such ' : ''}mail of ${tenant}.`,
        )}
        ${sameCommand(queueCommand('list', tenant, where))}
        ${form(visit, {
          ...{ ...common, to: [...path, 'drop'], button: 'Show what a drop would remove' },
          ...{ seen: now, command: queueCommand('drop', tenant, where) },
        })}
        ${form(visit, {
          ...{ ...common, to: [...path, 'show'] },
          button: 'Show headers (kept in the audit trail)',
          command: queueCommand('show', tenant, where),
        })}`,
    }
  },
}
