import { randomFrom } from '../../scripts/services/random'
import { messageFrom } from '../mail-load'
import { step, type Step } from '../smtp-session'
import type { Errand, Seat } from './crew'

/** What kind of mail a tenant sends, beside that of its own domain. */
export type TenantKind = 'registered' | 'mixed' | 'bounces' | 'restricted'

/** Of ten tenants; a restricted one tries unregistered mail all the time. */
const TEN: readonly TenantKind[] = [
  ...Array<TenantKind>(6).fill('registered'),
  ...Array<TenantKind>(2).fill('mixed'),
  'bounces',
  'restricted',
]
/** Of what a tenant sends, how much is not from its own domain. */
const OTHER_SHARE = 0.5
/** Domains that are nobody's. */
const STRANGERS = 200

/** A tenant that takes part. */
export interface MixTenant {
  readonly id: string
  readonly domain: string
  readonly kind: TenantKind
  /** Its server's address. */
  readonly ip: string
}

export function kindOf(number: number): TenantKind {
  return TEN[number % TEN.length]!
}

/**
 * Who sits in which session and sends what: the same for the same seed.
 *
 * @param refusals whether restricted tenants are refused. A Haraka without the plugin takes MAIL, and they go back.
 */
export function seatsOf(
  tenants: readonly MixTenant[],
  sessions: number,
  seed: number,
  refusals: boolean,
): readonly Seat[] {
  const strange = Array.from({ length: STRANGERS }, (_, at) => `a@stranger-${at}.example`)
  const scripts = new Map(
    ['', ...strange, ...tenants.map(ownSender)].map((from) => [from, messageFrom(from, true)]),
  )
  const scriptOf = (from: string): readonly Step[] => scripts.get(from)!
  const attempts = strange.map((from) => attempt(from, refusals))
  return Array.from({ length: sessions }, (_, at): Seat => {
    const tenant = tenants[at % tenants.length]!
    const random = randomFrom(seed + at)
    const own: Errand = {
      script: scriptOf(ownSender(tenant)),
      kind: 'registered',
      tenant: tenant.id,
    }
    const others: readonly Errand[] = {
      registered: [],
      mixed: strange.map((from) => ({
        ...own,
        script: scriptOf(from),
        kind: 'unregistered' as const,
      })),
      bounces: [{ ...own, script: scriptOf(''), kind: 'null' as const }],
      restricted: attempts.map((steps) => ({
        ...own,
        script: [...steps, ...own.script],
        kind: 'refused' as const,
      })),
    }[tenant.kind]
    const next = (): Errand => {
      if (others.length === 0 || random() >= OTHER_SHARE) return own
      return others[Math.floor(random() * others.length)]!
    }
    return { ip: tenant.ip, next }
  })
}

function ownSender({ domain }: MixTenant): string {
  return `a@${domain}`
}

function attempt(from: string, refused: boolean): readonly Step[] {
  const mail = `MAIL FROM:<${from}>`
  if (refused) return [step(mail, '550 5.7.750 ', true)]
  return [step(mail, '250', true), step('RSET', '250')]
}
