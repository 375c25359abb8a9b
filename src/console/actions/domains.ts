import { tenantctl } from '../../base/command-line'
import { InputError } from '../../base/errors'
import { addedLines, removedLines, subdomainsLines } from '../../cli/views/domain'
import { domainLossLines } from '../../cli/views/loss'
import { acceptedDomainName, type AcceptedDomainOptions } from '../../names/accepted'
import { typedDomain } from '../../names/typed-domain'
import { lossOfDomains, removeDomains, setSubdomains } from '../../operations/domains'
import { registerDomains } from '../../operations/register-domains'
import type { Action, Done, Form } from '../kit/action'
import { doneTo } from './done'

interface Names {
  readonly tenant: string
  /** A-labels. */
  readonly names: readonly string[]
}

interface Added extends Names, AcceptedDomainOptions {
  /** Even the domain of a mailbox provider. */
  readonly force: boolean
}

interface Changed extends Names {
  readonly subdomains: boolean
}

export const ADD_DOMAINS: Action<Added> = {
  path: '/tenants/:tenant/domains/add',
  operation: registerDomains,
  subject: ({ tenant }) => tenant,
  read: (form, { tenant = '' }) => {
    const [subdomains, shared] = [form.isOn('subdomains'), form.isOn('shared')]
    const accepted = (name: string): string => acceptedDomainName(name, { subdomains, shared })
    return { tenant, names: namesIn(form, accepted), subdomains, shared, force: form.isOn('force') }
  },
  command: ({ tenant, names, subdomains, shared, force }) =>
    tenantctl(
      ...['domain', 'add', tenant, ...names],
      ...(subdomains ? ['--subdomains'] : []),
      ...(shared ? ['--shared'] : []),
      ...(force ? ['--force'] : []),
    ),
  run: async (store, by, { tenant, names, subdomains, shared, force }, { config }) => {
    const domains = names.map((domain) => ({ domain, subdomains, shared }))
    const { neverRegister } = config.registry
    const options = { by, anyProvider: force, neverRegister }
    const done = await registerDomains(store, tenant, domains, options)
    return atDomains(tenant, await doneTo(store, tenant, addedLines(tenant, done)))
  },
}

export const SET_SUBDOMAINS: Action<Changed> = {
  path: '/tenants/:tenant/domains/subdomains',
  operation: setSubdomains,
  subject: ({ tenant }) => tenant,
  read: (form, { tenant = '' }) => {
    return { tenant, names: namesIn(form, typedDomain), subdomains: form.isOn('subdomains') }
  },
  command: ({ tenant, names, subdomains }) =>
    tenantctl(
      ...['domain', 'set', tenant, ...names],
      subdomains ? '--subdomains' : '--no-subdomains',
    ),
  run: async (store, by, { tenant, names, subdomains }) => {
    const done = await setSubdomains(store, tenant, names, subdomains, by)
    const lines = subdomainsLines(tenant, subdomains, done)
    return atDomains(tenant, await doneTo(store, tenant, lines))
  },
}

export const REMOVE_DOMAINS: Action<Names> = {
  path: '/tenants/:tenant/domains/remove',
  operation: removeDomains,
  subject: ({ tenant }) => tenant,
  read: (form, { tenant = '' }) => ({ tenant, names: namesIn(form, typedDomain) }),
  command: ({ tenant, names }) => tenantctl('domain', 'remove', tenant, ...names),
  question: async ({ tenant, names }, { store }) => ({
    title: `Remove ${names.length === 1 ? names[0]! : `${names.length} domains`} from ${tenant}?`,
    lines: domainLossLines(await lossOfDomains(store, tenant, names)),
    yes: 'Remove',
  }),
  run: async (store, _by, { tenant, names }) => {
    await removeDomains(store, tenant, names)
    return atDomains(tenant, await doneTo(store, tenant, removedLines(tenant, names)))
  },
}

/** Names with white space or commas between them. @throws {InputError} */
function namesIn(form: Form, checked: (name: string) => string): string[] {
  const names = form.text('domains').split(/[\s,]+/)
  if (names[0] === '') throw new InputError('no domain was given: write one, as contoso.com')
  return [...new Set(names.filter((name) => name !== '').map(checked))]
}

function atDomains(tenant: string, done: Done): Done {
  return { ...done, next: ['tenants', tenant, 'domains'] }
}
