import { tenantctl } from '../../base/command-line'
import { lossLines } from '../../cli/views/loss'
import { KEPT, TENANT_DONE } from '../../cli/views/tenant'
import { assertTenantId } from '../../mail/identities'
import { lossOfTenant } from '../../operations/loss'
import { removeTenant } from '../../operations/remove-tenant'
import { addTenant, existingTenant } from '../../operations/tenants'
import type { Action } from '../kit/action'
import { contactLines, givenIn, idleForwards, optionsOf, type Given } from './settings'

export const ADD_TENANT: Action<Given> = {
  path: '/tenants/add',
  operation: addTenant,
  read: (form) => {
    const tenant = form.text('tenant')
    assertTenantId(tenant)
    return givenIn(form, tenant)
  },
  command: ({ tenant, text, force }) =>
    tenantctl('tenant', 'add', tenant, ...optionsOf(text, force)),
  run: async (store, by, given, visit) => {
    const { tenant, settings } = given
    const idle = idleForwards(given, visit)
    const result = await addTenant(store, tenant, settings, by)
    const notes = [...idle, ...(await contactLines(store, given, visit))]
    return {
      tone: notes.length > 0 ? 'warn' : 'good',
      lines: [TENANT_DONE.add(tenant, result), ...notes],
      next: ['tenants', tenant],
    }
  },
}

export const REMOVE_TENANT: Action<string> = {
  path: '/tenants/:tenant/remove',
  operation: removeTenant,
  subject: (tenant) => tenant,
  read: (_form, { tenant = '' }) => tenant,
  command: (tenant) => tenantctl('tenant', 'remove', tenant),
  question: async (tenant, { store }) => {
    await existingTenant(store, tenant)
    return {
      title: `Remove tenant ${tenant}?`,
      lines: lossLines(await lossOfTenant(store, tenant)),
      yes: `Remove tenant ${tenant}`,
    }
  },
  run: async (store, by, tenant) => {
    await removeTenant(store, tenant, by)
    return { tone: 'good', lines: [`removed tenant ${tenant}`, KEPT], next: [] }
  },
}
