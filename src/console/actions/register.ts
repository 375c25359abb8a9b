import { tenantctl } from '../../base/command-line'
import { InputError } from '../../base/errors'
import { acceptedDomainName } from '../../names/accepted'
import { typedDomain } from '../../names/typed-domain'
import { rankByDns, registerDomains, registerOwnDomains } from '../../operations/register-domains'
import { leastRole } from '../../operations/roles'
import type { Action, Form } from '../kit/action'
import { askingDns, dnsSaid } from '../kit/known-dns'
import { reasonIn } from './texts'

interface Register {
  readonly tenant: string
  readonly domain: string
  readonly subdomains: boolean
  /** Why a domain is registered that is not ranked as own; `undefined`: it is to be ranked as own. */
  readonly reason: string | undefined
}

/**
 * Registers a domain: one that is ranked as own, which is found out again here; or any, which only an admin may, who types
 * its name and says why.
 */
export const REGISTER: Action<Register> = {
  path: '/tenants/:tenant/register',
  operation: registerOwnDomains,
  subject: ({ tenant }) => tenant,
  read(form, { tenant = '' }) {
    const subdomains = form.isOn('subdomains')
    const domain = acceptedDomainName(form.text('domain'), { subdomains, shared: false })
    return { tenant, domain, subdomains, reason: explained(form, domain) }
  },
  least: ({ reason }) => leastRole(reason === undefined ? registerOwnDomains : registerDomains)!,
  command: ({ tenant, domain, subdomains }) =>
    tenantctl('domain', 'add', tenant, domain, ...(subdomains ? ['--subdomains'] : [])),
  async run(store, by, { tenant, domain, subdomains, reason }, { config }) {
    const { neverRegister } = config.registry
    const { added } =
      reason === undefined
        ? await registerOwnDomains(store, tenant, [{ domain, subdomains }], {
            ...{ by, neverRegister, days: config.report.days },
            dns: dnsSaid(config.console.dns),
          })
        : await registerDomains(store, tenant, [{ domain, subdomains, shared: false }], {
            ...{ by, neverRegister, reason, anyProvider: false },
          })
    const below = subdomains ? ' and from names below it' : ''
    return {
      tone: 'good',
      lines: [
        added.length > 0 ? `Added ${domain} to ${tenant}.` : `${domain} was there already.`,
        `Mail from it${below} passes, and is not counted.`,
      ],
      next: ['tenants', tenant, 'domains'],
    }
  },
}

/** @throws {InputError} */
function explained(form: Form, domain: string): string | undefined {
  const typed = form.text('typed')
  if (typed === '' && form.text('reason') === '') return undefined
  if (typed === '' || typedDomain(typed) !== domain) {
    throw new InputError(
      `the domain that was typed, ${JSON.stringify(typed)}, is not ${domain}: nothing was added`,
    )
  }
  return reasonIn(form)
}

/** Asks DNS about a domain, which those who run its name servers can see. */
export const ASK_DNS: Action<Pick<Register, 'tenant' | 'domain'>> = {
  path: '/tenants/:tenant/register/dns',
  operation: rankByDns,
  read: (form, { tenant = '' }) => ({ tenant, domain: typedDomain(form.text('domain')) }),
  command: ({ tenant }) => tenantctl('suggest', tenant, '--why'),
  async run(_store, _by, { tenant, domain }, { store, config }) {
    const { dns } = config.console
    const found = await askingDns(dns, domain, (ask) =>
      rankByDns(store, tenant, domain, {
        ...{ dns: ask, days: config.report.days, neverRegister: config.registry.neverRegister },
      }),
    )
    return {
      tone: 'good',
      lines: [`DNS was asked about ${domain}: it is ranked as ${found.class}.`],
    }
  },
}
