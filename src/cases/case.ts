import { InputError } from '../base/errors'
import { USUAL_SCOPE, type Scope } from '../mail/scope'
import { parseTrigger, type Trigger } from '../mail/trigger'
import { assertTenantId } from '../mail/identities'

/** The checklist before a tenant is unblocked: the four steps that Exchange Online asks of an admin. */
export const STEPS = ['domains', 'connectors', 'servers', 'proof'] as const
export type Step = (typeof STEPS)[number]

/** Each step in words. */
export const STEP_WORDS: Readonly<Record<Step, string>> = {
  domains: 'all domains that the tenant sends from are registered',
  connectors: 'every connector is known and wanted',
  servers: 'its servers are secured, and send legitimate mail only',
  proof: 'the tenant has shown that this is done',
}

/** A note on a case. */
export interface Remark {
  /** ms since the epoch, server time */
  readonly at: number
  readonly by: string
  /** May be empty when a case is closed. */
  readonly text: string
}

/** The record of a restriction and of the work on it. */
export interface Case {
  /** `tenant:number` */
  readonly name: string
  readonly tenant: string
  readonly number: number
  /** ms since the epoch, server time */
  readonly opened: number
  /** Who restricted the tenant; `automatic`: it tripped. */
  readonly by: string
  readonly reason: string
  readonly scope: Scope
  /** What tripped it; `undefined`: it was placed by hand. */
  readonly trigger: Trigger | undefined
  /** It tripped within the probation after the previous case. */
  readonly onProbation: boolean
  /** Id of its `restricted` event. */
  readonly event: string
  readonly ticks: ReadonlyMap<Step, Remark>
  readonly notes: readonly Remark[]
  /** Who is on it, since when (the text is empty); `undefined`: no person is, or it is closed. */
  readonly taken: Remark | undefined
  /** When and why its restriction was lifted. */
  readonly lifted: Remark | undefined
  /** Limits and end (ms) of the probation that it was lifted into; `undefined`: none. */
  readonly probation: { readonly limits: string; readonly until: number } | undefined
  /** `undefined`: it is open. */
  readonly closed: Remark | undefined
}

/** The name of a case. */
export function caseName(tenant: string, number: number): string {
  return `${tenant}:${number}`
}

/**
 * Accepts only the spelling of {@link caseName}: the scripts compare names as text.
 *
 * @throws {InputError}
 */
export function parseCaseName(text: string): { tenant: string; number: number } {
  const match = /^([^:]*):([1-9]\d{0,8})$/.exec(text)
  if (!match) {
    throw new InputError(
      `"${text}" is not the name of a case: give TENANT:NUMBER, such as contoso:3; tenantctl case list shows all`,
    )
  }
  const [, tenant, number] = match
  assertTenantId(tenant!)
  return { tenant: tenant!, number: Number(number) }
}

/** The steps that are not ticked. */
export function openSteps({ ticks }: Case): Step[] {
  return STEPS.filter((step) => !ticks.has(step))
}

/** Reads a record; `undefined`: it does not exist. */
export function decodeCase(
  tenant: string,
  number: number,
  fields: Readonly<Record<string, string>>,
): Case | undefined {
  if (!fields['opened']) return undefined
  const ticks = new Map<Step, Remark>()
  for (const step of STEPS) {
    const tick = decodeRemark(fields[`tick:${step}`])
    if (tick) ticks.set(step, tick)
  }
  const notes = Array.from({ length: Number(fields['notes'] ?? 0) }, (_, at) =>
    decodeRemark(fields[`note:${at + 1}`]),
  ).filter((note) => note !== undefined)
  const [until, limits] = (fields['probationGiven'] ?? '').split('\t')
  const closed = decodeRemark(fields['closed'])
  return {
    ...{ name: caseName(tenant, number), tenant, number },
    opened: Number(fields['opened']),
    by: fields['by'] ?? '',
    reason: fields['reason'] ?? '',
    scope: (fields['scope'] as Scope | undefined) ?? USUAL_SCOPE,
    trigger: parseTrigger(fields),
    onProbation: fields['probation'] === '1',
    event: fields['event'] ?? '',
    ticks,
    notes,
    taken: closed ? undefined : decodeRemark(fields['taken']),
    lifted: decodeRemark(fields['lifted']),
    probation: limits === undefined ? undefined : { limits, until: Number(until) },
    closed,
  }
}

/** `TIME<tab>BY<tab>TEXT`, as the scripts write it. */
export function decodeRemark(packed: string | undefined): Remark | undefined {
  if (packed === undefined) return undefined
  const [at, by = '', text = ''] = packed.split('\t')
  return { at: Number(at), by, text }
}
