import { tenantctl } from '../../base/command-line'
import { ownOr } from '../../cli/views/phrases'
import { limitsFacts } from '../../cli/views/tenant'
import { form } from '../kit/forms'
import { html, NOTHING } from '../kit/html'
import type { Page } from '../kit/page'
import { facts, heading, time } from '../kit/parts'
import { told } from '../kit/told'
import { settingsFields } from './settings-fields'
import { tenantHeader } from './tenant-header'

/** What is set for a tenant. */
export const SETTINGS: Page = {
  path: '/tenants/:tenant/settings',
  least: 'viewer',
  async show(visit) {
    const { tenant, status, live, tabs } = await tenantHeader(visit, 'settings')
    const title = `Settings of ${tenant.name}`
    if (visit.isPoll) return { title, live, rest: NOTHING }
    const { usage } = status
    const { id } = tenant
    return {
      ...{ title, live },
      rest: html`${tabs} ${heading(visit, 'settings')}
      ${facts([
        ['Name', tenant.name],
        ['Mode', ownOr(tenant.mode, visit.config.main.mode)],
        ...limitsFacts({ tenant, temporary: usage.temporary }, visit.config).map(
          ([name, cell]) => [capitalized(name), told(cell)] as const,
        ),
        ['Contact', tenant.contact ?? 'none'],
        ['Registered', html`${time(tenant.createdAt)} by ${tenant.source}`],
      ])}
      ${form(visit, {
        ...{ to: ['tenants', id, 'settings'], button: 'Change', least: 'admin' },
        fields: settingsFields(false),
        command: `${tenantctl('tenant', 'set', id)} --limits LIST --mode MODE …`,
        seen: usage.at,
      })}
      ${form(visit, {
        ...{ to: ['tenants', id, 'remove'], button: 'Remove this tenant', least: 'admin' },
        command: tenantctl('tenant', 'remove', id),
        ...{ seen: usage.at, isDanger: true },
        returnTo: visit.to(['tenants', id, 'settings']),
      })}`,
    }
  },
}

/** Registers a tenant. */
export const NEW_TENANT: Page = {
  path: '/tenants/new',
  least: 'admin',
  show: (visit) =>
    Promise.resolve({
      title: 'New tenant',
      rest: html`${heading(visit, 'newTenant', 1)}
      ${form(visit, {
        ...{ to: ['tenants', 'add'], button: 'Register this tenant', least: 'admin' },
        fields: [
          {
            ...{ kind: 'text', name: 'tenant', label: 'Id', required: true },
            hint: 'lower-case letters, digits, . _ - (at most 63); it stays as it is',
          },
          ...settingsFields(true),
        ],
        command: `${tenantctl('tenant', 'add', 'ID')} --name TEXT --limits LIST …`,
      })}`,
    }),
}

function capitalized(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1)
}
