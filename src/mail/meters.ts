import { tenantctl } from '../base/command-line'
import type { Limits } from './limits'

/**
 * What counts recipients of a tenant, each meter with limits of its own. Whatever differs between meters is a cell of this
 * table: the scripts (by `scripts.ts`), the ini file, tenantctl, alerts, backups and forecasts ask it.
 */
export interface MeterRow {
  /** Begins the fields of its windows in the usage and in receipts; `h` is taken, for recipients that are held. */
  readonly letter: string
  /** Field of the tenant's hash with its own limits, and of `Tenant`. */
  readonly limitsField: string
  /** Section whose `limits` apply to other tenants, and their default. `undefined`: these have no such meter. */
  readonly ini: { readonly section: string; readonly limits: string } | undefined
  /** Past a limit the tenant is restricted, unless that limit says `defer`; or this reply follows, and no restriction. */
  readonly past: 'restriction' | 'deferred' | 'nullSenderFull'
  /** A restriction stops its mail, or leaves a tenth of its limits and one recipient a transaction. */
  readonly whileRestricted: 'stopped' | 'tenth'
  /** A probation lowers its limits. */
  readonly onProbation: boolean
  /** Its mail has a sender domain, which may have been registered since: the charge looks that up. */
  readonly byDomain: boolean
  /** Its mail is held until the message is there, if the tenant has a meter for proven forwards. */
  readonly held: boolean
  /** It counts proven forwards. */
  readonly proven: boolean
  readonly words: MeterWords
}

/** What people call a meter. */
interface MeterWords {
  readonly name: string
  /** What it counts, where that is not just recipients. */
  readonly counts: string | undefined
  /** Follows `allowance`. */
  readonly allowance: string
  /** Follows the title of a restriction that it has caused. */
  readonly tripped: string
  /** Help of the option that sets its limits. */
  readonly option: string
  /** What `tenant show` prints where the tenant has no such meter. */
  readonly none: string
  /** Next steps of an operator when much of it is used. */
  readonly next: (tenant: string) => readonly string[]
  readonly contact: ContactWords
}

/** Mail to the contact of a tenant about a meter. */
interface ContactWords {
  /** @param recipients such as `150 of 300 recipients within 1h`. */
  readonly used: (recipients: string) => readonly string[]
  readonly advice: readonly string[]
  /** Whether the advice on a takeover follows. */
  readonly takeover: boolean
  /** Follows the number of recipients that led to a restriction. */
  readonly restricted: string
}

const TABLE = {
  unregistered: {
    letter: 'u',
    limitsField: 'limits',
    ini: { section: 'allowance', limits: '300/1h, 1500/1d' },
    past: 'restriction',
    whileRestricted: 'stopped',
    onProbation: true,
    byDomain: true,
    held: true,
    proven: false,
    words: {
      name: 'unregistered mail',
      counts: undefined,
      allowance: '',
      tripped: '',
      option: 'its allowance for unregistered mail, such as "300/1h, 1500/1d"',
      none: '',
      next: (tenant) => [
        `${tenantctl('report', tenant, '--days', '1')}  # which domains, connectors and addresses send`,
        `${tenantctl('status', tenant)}  # how soon it would be restricted`,
        `${tenantctl('suggest', tenant)}  # which of the domains are probably its own and to be registered`,
      ],
      contact: {
        used: (recipients) => [
          `You have sent to ${recipients} from domains`,
          'that are not registered for you. Past that number such mail is refused.',
        ],
        advice: [
          'If these domains are yours, tell us, and we register them: mail from registered domains is not',
          'counted.',
        ],
        takeover: true,
        restricted: 'from unregistered domains',
      },
    },
  },
  null: {
    letter: 'n',
    limitsField: 'nullLimits',
    ini: { section: 'null', limits: '300/1h, 1500/1d' },
    past: 'nullSenderFull',
    whileRestricted: 'tenth',
    onProbation: false,
    byDomain: false,
    held: false,
    proven: false,
    words: {
      name: 'null sender',
      counts: undefined,
      allowance: ' for the null sender',
      tripped: '',
      option: 'its allowance for the null sender',
      none: '',
      next: (tenant) => [
        `${tenantctl('report', tenant, '--days', '1')}  # how much of it, and which domains it names in From`,
        `${tenantctl('status', tenant)}  # how full the meter is: past the limit comes a 451, and no restriction`,
        `${tenantctl('tenant', 'set', tenant, '--null-limits', 'LIST')}  # if all of it is legitimate`,
      ],
      contact: {
        used: (recipients) => [
          `You have sent to ${recipients} with an empty`,
          'sender (MAIL FROM:<>), which is for bounces and automatic replies. Past that number such mail is',
          'deferred.',
        ],
        advice: [
          'A server that accepts mail for users that do not exist sends such bounces: let it refuse that mail.',
        ],
        takeover: true,
        restricted: 'from unregistered domains',
      },
    },
  },
  forwarded: {
    letter: 'f',
    limitsField: 'forwardedLimits',
    ini: undefined,
    past: 'restriction',
    whileRestricted: 'stopped',
    onProbation: false,
    byDomain: true,
    held: false,
    proven: true,
    words: {
      name: 'forwards',
      counts: 'forwards',
      allowance: ' for forwarded mail',
      tripped: ', by its forwarded mail',
      option: 'its allowance for proven forwards, which then do not count as unregistered',
      none: 'none: forwards are not told apart',
      next: (tenant) => [
        `${tenantctl('report', tenant, '--days', '1', '--class', 'forwarded')}  # whose mail is forwarded, and from where`,
        `${tenantctl('status', tenant)}  # how soon it would be restricted`,
        `${tenantctl('tenant', 'set', tenant, '--forwarded-limits', 'LIST')}  # if all of it is legitimate`,
      ],
      contact: {
        used: (recipients) => [
          `${recipients} got mail from outside that your`,
          'mailboxes forwarded. Past that number such mail is refused.',
        ],
        advice: [
          'If your users forward that much, tell us. If not, look for forwarding rules that none of you has set',
          'up.',
        ],
        takeover: false,
        restricted: 'as forwarded mail',
      },
    },
  },
} as const satisfies Record<string, MeterRow>

/** What counts one kind of a tenant's recipients. */
export type Meter = keyof typeof TABLE
/** Fields of a tenant that hold its own limits. */
export type LimitsField = (typeof TABLE)[Meter]['limitsField']
/** Meters that a tenant has only if it has limits of its own for them. */
export type OptionalMeter = {
  [M in Meter]: (typeof TABLE)[M]['ini'] extends undefined ? M : never
}[Meter]

/** The limits of a tenant that has none of its own, for all other meters. */
export type DefaultLimits = {
  readonly [M in Exclude<Meter, OptionalMeter> as (typeof TABLE)[M]['limitsField']]: Limits
}

/** Sections of the ini file with limits, by name. */
export type MeterSections = {
  readonly [M in Exclude<Meter, OptionalMeter> as (typeof TABLE)[M]['ini']['section']]: {
    readonly limits: Limits
  }
}

export const METERS: Readonly<Record<Meter, MeterRow & { readonly limitsField: LimitsField }>> =
  TABLE

/** All meters, in the order in which their settings are shown. */
export const METER_NAMES = Object.keys(TABLE) as Meter[]
/** The usual meter: events, triggers and JSON fields name only the others. */
export const USUAL_METER = 'unregistered' satisfies Meter
export type NamedMeter = Exclude<Meter, typeof USUAL_METER>
/** The meter of proven forwards. */
export const PROVEN_METER = METER_NAMES.find((meter) => METERS[meter].proven)!

/** Those that can restrict a tenant. */
export const RESTRICTING = METER_NAMES.filter((meter) => METERS[meter].past === 'restriction')
/** All meters: first those that can restrict a tenant. */
export const RESTRICTING_FIRST = [
  ...RESTRICTING,
  ...METER_NAMES.filter((meter) => !RESTRICTING.includes(meter)),
]

/** The sections of the ini file that have limits, with their default. */
export const METER_SECTIONS = METER_NAMES.flatMap((meter) => METERS[meter].ini ?? [])

/** The limits in these sections. */
export function defaultLimitsIn(config: MeterSections): DefaultLimits {
  const limits = METER_NAMES.flatMap((meter) => {
    const { ini, limitsField } = METERS[meter]
    return ini ? [[limitsField, config[ini.section as keyof MeterSections].limits]] : []
  })
  return Object.fromEntries(limits) as DefaultLimits
}

const BY_LETTER = new Map(METER_NAMES.map((meter) => [METERS[meter].letter, meter]))

/** The meter of a field of the usage. */
export function meterOf(field: string): Meter | undefined {
  return BY_LETTER.get(field.charAt(0))
}

/** The name of a meter as events and triggers have it; `undefined`: no meter, or the usual one. */
export function namedMeter(name: unknown): NamedMeter | undefined {
  const meter = METER_NAMES.find((each) => each === name)
  return meter === USUAL_METER ? undefined : meter
}

/** A JSON field of a meter: `windows` of the usual one, `null_windows` of another. */
export function meterField(meter: Meter, field: string): string {
  return meter === USUAL_METER ? field : `${meter}_${field}`
}

/** `nullLimits` with another separator between its words, in lower case: `null_limits`, `null-limits`, `null limits`. */
export function separated(field: LimitsField, separator: '_' | '-' | ' '): string {
  return field.replace(/[A-Z]/g, (letter) => separator + letter.toLowerCase())
}
