import { domainToUnicode } from 'node:url'
import { tenantctl } from '../../base/command-line'
import { count } from '../../base/count'
import { firstDomains } from '../../operations/domains'
import { asking, form, type Field, type FormOptions } from '../kit/forms'
import { html, NOTHING, type Html } from '../kit/html'
import type { Page, Visit } from '../kit/page'
import { heading, outside, table, time } from '../kit/parts'
import { tenantHeader } from './tenant-header'

/** Domains of one page. */
const MOST = 500

const SEEN: Field = {
  ...{ kind: 'text', name: 'domain', label: 'Domain seen in mail', required: true },
  hint: 'whether it is probably the tenant’s own, before it is registered',
}

/** The accepted domains of a tenant, some at a time. */
export const DOMAINS: Page = {
  path: '/tenants/:tenant/domains',
  least: 'viewer',
  async show(visit) {
    const { tenant, status, live, tabs } = await tenantHeader(visit, 'domains')
    const title = `Accepted domains of ${tenant.name}`
    if (visit.isPoll) return { title, live, rest: NOTHING }
    const [from, begins, chosen] = ['from', 'begins', 'domain'].map(
      (name) => visit.query.get(name)?.trim() ?? '',
    )
    const found = await firstDomains(visit.store, tenant.id, {
      from: from!,
      begins: begins!,
      most: MOST,
    })
    const { domains, all, next } = found
    const here = ['tenants', tenant.id, 'domains']
    const shown =
      domains.length === all
        ? count(all, 'domain')
        : `${count(domains.length, 'domain')} of ${all.toLocaleString('en-US')}, by name`
    const more = next && visit.to(here, { ...(begins ? { begins } : {}), from: next })
    const mayChange = visit.writing && visit.person.role === 'admin'
    return {
      ...{ title, live },
      rest: html`${tabs} ${heading(visit, 'domains')}
      ${asking(visit, here, [{ kind: 'text', name: 'begins', label: 'Names that begin with', value: begins! }])}
      ${table(
        shown,
        ['Domain', 'Subdomains', 'Shared', 'Added', 'By', ...(mayChange ? ['Change'] : [])],
        domains.map(({ domain, subdomains, shared, addedAt, addedBy }) => [
          domainText(domain),
          ...[subdomains ? 'yes' : 'no', shared ? 'yes' : 'no', time(addedAt), addedBy],
          ...(mayChange
            ? [html`<a href="${visit.to(here, { domain })}#changeDomains">Change</a>`]
            : []),
        ]),
        all > 0
          ? `No accepted domain of ${tenant.name} begins so, of ${all.toLocaleString('en-US')}.`
          : `${tenant.name} has no accepted domains: all its mail is unregistered.`,
      )}
      ${more ? html`<p><a href="${more}">The following domains</a></p>` : NOTHING}
      ${heading(visit, 'register')}
      ${asking(visit, ['tenants', tenant.id, 'register'], [SEEN], 'Look at it')}
      ${forms(visit, tenant.id, chosen!, status.usage.at)}`,
    }
  },
}

/** @param chosen a domain that is to be changed; empty: none yet. */
function forms(visit: Visit, tenant: string, chosen: string, seen: number): Html {
  const common = {
    least: 'admin',
    seen,
    returnTo: visit.to(['tenants', tenant, 'domains']),
  } as const
  const domains = {
    kind: 'text',
    name: 'domains',
    label: 'Domains',
    value: chosen,
    required: true,
    hint: 'with spaces between them',
  } as const
  const one = chosen || 'DOMAIN'
  const change: FormOptions[] = [
    {
      ...{ to: ['tenants', tenant, 'domains', 'subdomains'], button: 'Set subdomains' },
      fields: [
        domains,
        {
          ...{ kind: 'choice', name: 'subdomains', label: 'Names below it' },
          values: [
            ['yes', 'count too'],
            ['', 'do not count: only the name itself'],
          ],
        },
      ],
      command: `${tenantctl('domain', 'set', tenant, one)} --subdomains`,
    },
    {
      ...{ to: ['tenants', tenant, 'domains', 'remove'], button: 'Remove', isDanger: true },
      fields: [domains],
      command: tenantctl('domain', 'remove', tenant, one),
    },
  ]
  if (!visit.writing || visit.person.role !== 'admin') return NOTHING
  return html`${heading(visit, 'addDomains')}
  ${form(visit, {
    ...{ to: ['tenants', tenant, 'domains', 'add'], button: 'Add', ...common },
    fields: [
      { ...domains, value: '' },
      { kind: 'check', name: 'subdomains', label: 'Every name below it too' },
      {
        ...{ kind: 'check', name: 'shared' },
        label:
          'Shared: without owning it, for agencies and names outside the public DNS; mail to it counts',
      },
      {
        ...{ kind: 'check', name: 'force' },
        label: 'Even the domain of a mailbox provider, where anyone can have an address',
      },
    ],
    command: tenantctl('domain', 'add', tenant, 'DOMAIN'),
  })}
  ${heading(visit, 'changeDomains')} ${change.map((each) => form(visit, { ...each, ...common }))}`
}

/** A domain, with its Unicode form beside it where that differs. */
function domainText(domain: string): Html {
  const unicode = domainToUnicode(domain)
  return unicode === domain || unicode === ''
    ? outside(domain)
    : html`${outside(domain)} (${outside(unicode)})`
}
