import { LruCache } from '../../base/lru-cache'
import { RefusedError } from '../../base/errors'
import { count } from '../../base/count'
import { dropNotes, droppedLines, MAY_STILL, missingLines } from '../../cli/views/queue'
import { assertTenantId } from '../../mail/identities'
import { amountText } from '../../operations/queue'
import { askQueues, dropFromQueues, sumOf, type QueueList } from '../../operations/queue-orders'
import type { QueueFilter } from '../../outbound/filter'
import type { Action, Form } from '../kit/action'
import { filtersIn, queueCommand, queuedHeaders, queuedMail } from '../kit/queue'
import { forgetLook } from '../kit/queue-look'

/** Lists that persons look at before they drop them, by the ids of their orders. */
const LISTS = new LruCache<QueueList>(100)

interface OfQueue {
  readonly tenant: string
  readonly where: readonly QueueFilter[]
}

/** Removes what a list named that the person has seen, and nothing that came after it. */
export const DROP: Action<OfQueue & { readonly list: string }> = {
  path: '/tenants/:tenant/queue/drop',
  operation: dropFromQueues,
  subject: ({ tenant }) => tenant,
  read: (form, params) => ({ ...queueIn(form, params), list: form.text('list') }),
  command: (input) => queueCommand('drop', input.tenant, input.where),
  async question({ tenant, where }, { writing }) {
    const list = await askQueues(writing!, { tenant, where, for: 'drop' })
    const found = sumOf(list.hosts.map(({ toDrop }) => toDrop))
    const missing = missingLines(list)
    if (found.messages === 0) {
      const of = where.length === 0 ? 'unregistered mail' : 'unregistered mail of that kind'
      const none = `no host that answered holds ${of} of ${tenant}`
      throw new RefusedError([none, ...missing].join('; '))
    }
    // What is removed is known by the order: no need to keep the mail.
    LISTS.set(list.order, { ...list, hosts: list.hosts.map((each) => ({ ...each, mail: [] })) })
    return {
      title: `Remove ${amountText(found)} permanently?`,
      lines: [
        'The senders get no bounce. Exactly what is listed is removed; what comes later stays.',
        ...missing.map((line) => `${line}: its queue is left as it is`),
        queuedMail(list.hosts, '', ({ toDrop }) => toDrop),
      ],
      yes: `Remove ${count(found.messages, 'message')}`,
      fields: { list: list.order },
    }
  },
  async run(store, _by, { tenant, list: id }, visit) {
    const list = LISTS.get(id)
    if (list?.tenant !== tenant) {
      throw new RefusedError('the list is not known any more: look at the queue again')
    }
    const done = await dropFromQueues(store, list)
    LISTS.delete(id)
    forgetLook(visit, tenant)
    const missing = missingLines(done, MAY_STILL)
    return {
      tone: missing.length > 0 ? 'warn' : 'good',
      lines: [
        ...droppedLines(tenant, done.hosts),
        ...dropNotes(list.hosts, done.hosts),
        ...missing,
      ],
    }
  },
}

/** Shows headers, which is kept in the audit trail: so it is no page that a link can lead to. */
export const SHOW_HEADERS: Action<OfQueue> = {
  path: '/tenants/:tenant/queue/show',
  operation: askQueues,
  read: queueIn,
  command: (input) => queueCommand('show', input.tenant, input.where),
  async run(store, _by, { tenant, where }) {
    const list = await askQueues(store, { tenant, where, for: 'headers' })
    return {
      ...{ tone: 'good', lines: missingLines(list) },
      page: { title: `Headers in the queue of ${tenant}`, rest: queuedHeaders(tenant, list.hosts) },
    }
  },
}

function queueIn(form: Form, { tenant = '' }: Readonly<Record<string, string>>): OfQueue {
  assertTenantId(tenant)
  return { tenant, where: filtersIn((key) => form.text(key)) }
}
