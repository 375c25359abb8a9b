import { METER_NAMES, METERS, separated, type LimitsField } from '../../mail/meters'
import { MODES } from '../../mail/mode'
import { FORWARDS_OFF, LIMITS_FIELDS } from '../../operations/tenant-settings'
import type { Field } from '../kit/forms'

/** The field of a form for the limits of a meter. */
export function limitsField(field: LimitsField, more: { readonly hint?: string }): Field {
  const meter = METER_NAMES.find((each) => METERS[each].limitsField === field)!
  const label = `Limits for ${METERS[meter].words.name}`
  return { kind: 'text', name: separated(field, '_'), label, ...more }
}

/**
 * The fields for all settings of a tenant.
 *
 * @param isNew what is left empty is the default; else it stays as it is.
 */
export function settingsFields(isNew: boolean): Field[] {
  const [empty, word] = isNew ? ['empty: the default', 'default'] : ['empty: as it is', 'as it is']
  const back = isNew ? '' : '; default: goes back to the default'
  return [
    { kind: 'text', name: 'name', label: 'Name', hint: 'what people call it' },
    ...LIMITS_FIELDS.map((field) =>
      limitsField(field, { hint: `such as 300/1h, 1500/1d; ${empty}${back}` }),
    ),
    {
      ...{ kind: 'choice', name: 'mode', label: 'Mode' },
      values: [
        ['', word],
        ...(isNew ? [] : [DEFAULT]),
        ...MODES.map((mode) => [mode, mode] as const),
      ],
    },
    {
      ...{ kind: 'text', name: 'contact', label: 'Contact' },
      hint: `mail address that gets its alerts${back}`,
    },
    {
      ...{ kind: 'check', name: 'force' },
      label: `Set an allowance for forwards even where it has no effect (${FORWARDS_OFF})`,
    },
  ]
}

const DEFAULT = ['default', 'the default'] as const
