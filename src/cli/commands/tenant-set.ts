import type { Command } from 'commander'
import { InputError } from '../../base/errors'
import { formatWindow, parseDuration } from '../../mail/limits'
import { METER_NAMES, METERS, type LimitsField } from '../../mail/meters'
import { setLimitsFor, setTenant } from '../../operations/set-tenant'
import type { MeterWindow } from '../../operations/status'
import { settingsOf } from '../../operations/tenant-settings'
import type { TenantSettings } from '../../registry/tenant-registry'
import { contextOf } from '../kit/context'
import type { Io } from '../kit/io'
import { noteManaged } from '../kit/managed'
import { manual } from '../kit/manual'
import { NO_TENANT } from '../kit/statuses'
import { COMMAND_TIMEOUT } from '../kit/store'
import { TENANT_DONE } from '../views/tenant'
import { fullInWords } from '../views/status-words'
import { TEMPORARY_FIELDS, temporaryFacts, temporaryView } from '../views/temporary'
import {
  checkForwards,
  IDLE_FORWARDS,
  LIMITS_OPTIONS,
  warnOfContact,
  withSettings,
  type SettingsOptions,
} from './tenant-settings'

interface SetOptions extends SettingsOptions {
  readonly for?: string
}

/** `tenantctl tenant set` */
export function addSet(tenant: Command, io: Io): void {
  const command = withSettings(tenant.command('set'))
    .description('change settings of a tenant; `default` goes back to the default')
    .argument('<tenant>')
    .option(
      '--for <time>',
      'these limits for 1m to 90d only, such as 3d; then those of before again',
    )
    .action(async (id: string, { for: time, ...options }: SetOptions, self: Command) => {
      const context = contextOf(io, self)
      const { out } = context
      const changes = settingsOf(options)
      const duration = time === undefined ? undefined : parseDuration('--for', time)
      if (duration !== undefined) assertOnlyLimits(changes)
      if (Object.keys(changes).length === 0) {
        throw new InputError(
          `nothing to set: give one or more of --name, ${LIMITS_OPTIONS}, --mode, --contact`,
        )
      }
      checkForwards(context, changes, options.force)
      await context.writing(async (store) => {
        const reading = { config: context.config(), timeout: COMMAND_TIMEOUT }
        const done =
          duration === undefined
            ? await setTenant(store, id, changes, reading)
            : await setLimitsFor(store, id, changes as Limits, duration, reading)
        const { result, mode, full, temporary } = done
        await warnOfContact(context, store, id, changes)
        const view = { ...temporaryView(temporary), full: full.map(fullView) }
        out.result({ result, tenant: id, ...view }, () => {
          out.line(TENANT_DONE.set(id, result))
          const facts = temporaryFacts(temporary)
          if (facts.length > 0) out.facts(facts)
          for (const each of full) out.line(fullInWords(each, mode), 'warn')
        })
        // A file says nothing of limits for some time.
        if (duration === undefined) await noteManaged(context, store, id)
      })
    })
  manual(command, {
    examples: [
      'tenant set contoso --limits "50/1h, 300/1d"',
      'tenant set contoso --limits "1000/1h, 5000/1d" --for 3d',
      'tenant set contoso --mode enforce',
      'tenant set contoso --forwarded-limits "500/1h defer, 3000/1d"',
      'tenant set contoso --limits default --mode default',
      'tenant set contoso --contact admin@example.org',
    ],
    json: [
      'result: changed | unchanged',
      'tenant: its id',
      ...TEMPORARY_FIELDS,
      'full: a window of each meter whose limits were given that is full now: {meter, window, limit,',
      '  defer, used}; the next recipient restricts the tenant, or is deferred',
    ],
    exit: {
      ...NO_TENANT,
      4: `with --for: the tenant has no allowance for forwards; or ${IDLE_FORWARDS}`,
    },
  })
}

type Limits = Readonly<Partial<Record<LimitsField, string>>>

/** @throws {InputError} */
function assertOnlyLimits(changes: TenantSettings): void {
  const fields = METER_NAMES.map((meter) => METERS[meter].limitsField)
  const given = fields.filter((field) => changes[field] !== undefined)
  if (given.length === 0) throw new InputError(`--for is for limits: give ${LIMITS_OPTIONS}`)
  if (Object.keys(changes).length > given.length) {
    throw new InputError('--for is for limits alone: give --name, --mode and --contact without it')
  }
  if (given.some((field) => changes[field] === null)) {
    throw new InputError('"default" goes back for good: give limits with --for, or leave out --for')
  }
}

function fullView({ meter, usage }: MeterWindow): object {
  const { window, limit, defer, used } = usage
  return { meter, window: formatWindow(window), limit, defer, used }
}
