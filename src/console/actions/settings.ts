import { tenantctl } from '../../base/command-line'
import { InputError } from '../../base/errors'
import { COMMAND_TIMEOUT } from '../../cli/kit/store'
import { fullInWords } from '../../cli/views/status-words'
import { temporaryTexts } from '../../cli/views/temporary'
import { TENANT_DONE } from '../../cli/views/tenant'
import { parseDuration } from '../../mail/limits'
import { separated, type LimitsField } from '../../mail/meters'
import { setLimitsFor, setTenant, type TenantSet } from '../../operations/set-tenant'
import {
  assertForwardsCount,
  contactWarnings,
  LIMITS_FIELDS,
  settingsOf,
  type SettingsText,
} from '../../operations/tenant-settings'
import type { TenantSettings } from '../../registry/tenant-registry'
import type { Store } from '../../store/store'
import type { Action, Form } from '../kit/action'
import type { Visit } from '../kit/page'
import { doneTo } from './done'

/** Settings that a form gives for a tenant. */
export interface Given {
  readonly tenant: string
  readonly text: SettingsText
  readonly settings: TenantSettings
  /** Even an allowance for forwards that has no effect. */
  readonly force: boolean
}

/** Limits of some meters for a while. */
interface GivenFor {
  readonly tenant: string
  readonly limits: Readonly<Partial<Record<LimitsField, string>>>
  readonly time: string
}

export const SET_LIMITS_FOR: Action<GivenFor> = {
  path: '/tenants/:tenant/limits',
  operation: setLimitsFor,
  subject: ({ tenant }) => tenant,
  read: (form, { tenant = '' }) => {
    const settings = settingsOf(limitsIn(form))
    const given = LIMITS_FIELDS.filter((field) => settings[field] !== undefined)
    if (given.length === 0) throw new InputError('no limits were given: write some, as 500/1h')
    if (given.some((field) => settings[field] === null)) {
      throw new InputError('"default" goes back for good: that is done under Settings')
    }
    const time = form.text('for')
    parseDuration('the time', time)
    return { tenant, limits: settings as GivenFor['limits'], time }
  },
  command: ({ tenant, limits, time }) =>
    tenantctl('tenant', 'set', tenant, ...optionsOf(limits), '--for', time),
  run: async (store, _by, { tenant, limits, time }, { config }) => {
    const duration = parseDuration('the time', time)
    const reading = { config, timeout: COMMAND_TIMEOUT }
    const set = await setLimitsFor(store, tenant, limits, duration, reading)
    // A tenants file says nothing of limits for some time.
    const tone = set.full.length > 0 ? 'warn' : 'good'
    return { tone, lines: linesOf(tenant, set), next: ['tenants', tenant] }
  },
}

export const SET_TENANT: Action<Given> = {
  path: '/tenants/:tenant/settings',
  operation: setTenant,
  subject: ({ tenant }) => tenant,
  read: (form, { tenant = '' }) => {
    const given = givenIn(form, tenant)
    if (Object.keys(given.settings).length > 0) return given
    throw new InputError('nothing was given: what is left empty stays as it is')
  },
  command: ({ tenant, text, force }) =>
    tenantctl('tenant', 'set', tenant, ...optionsOf(text, force)),
  run: async (store, _by, given, visit) => {
    const { tenant, settings } = given
    const idle = idleForwards(given, visit)
    const set = await setTenant(store, tenant, settings, {
      ...{ config: visit.config, timeout: COMMAND_TIMEOUT },
    })
    const warnings = [...idle, ...(await contactLines(store, given, visit))]
    const done = await doneTo(store, tenant, linesOf(tenant, set), warnings)
    return { ...done, next: ['tenants', tenant, 'settings'] }
  },
}

/** Reads the fields of a form with the settings of a tenant; what is empty was not given. @throws {InputError} */
export function givenIn(form: Form, tenant: string): Given {
  const text = {
    ...limitsIn(form),
    ...Object.fromEntries(
      ['name', 'mode', 'contact'].flatMap((name) =>
        form.text(name) === '' ? [] : [[name, form.text(name)]],
      ),
    ),
  }
  return { tenant, text, settings: settingsOf(text), force: form.isOn('force') }
}

/** A warning where an allowance for forwards has no effect. @throws {RefusedError} without `force`. */
export function idleForwards({ settings, force }: Given, { config }: Visit): string[] {
  const where = 'in effect'
  const orElse = 'choose to set the allowance all the same'
  const warning = assertForwardsCount(settings, config.forwarded, { force, where, orElse })
  return warning === undefined ? [] : [warning]
}

export async function contactLines(
  store: Store,
  { tenant, settings }: Given,
  { config }: Visit,
): Promise<string[]> {
  const warnings = await contactWarnings(store, tenant, settings, config.alerts)
  return warnings.map(({ message, advice }) => `${message}; ${advice}`)
}

/** The options of `tenant add` and `tenant set`. */
export function optionsOf(text: SettingsText, force = false): string[] {
  const { name, mode, contact } = text
  const options = [
    ['--name', name],
    ...LIMITS_FIELDS.map((field) => [`--${separated(field, '-')}`, text[field]]),
    ...[
      ['--mode', mode],
      ['--contact', contact],
    ],
  ] as const
  const given = options.flatMap(([option, value]) =>
    value === undefined ? [] : [option as string, value],
  )
  return force ? [...given, '--force'] : given
}

function limitsIn(form: Form): Partial<Record<LimitsField, string>> {
  const limits: Partial<Record<LimitsField, string>> = {}
  for (const field of LIMITS_FIELDS) {
    const text = form.text(separated(field, '_'))
    if (text !== '') limits[field] = text
  }
  return limits
}

function linesOf(tenant: string, { result, temporary, full, mode }: TenantSet): string[] {
  return [
    TENANT_DONE.set(tenant, result),
    ...temporaryTexts(temporary).map(([name, text]) => `${name}: ${text}`),
    ...full.map((each) => fullInWords(each, mode)),
  ]
}
