import { tenantctl } from '../base/command-line'
import { Restrictions, type Act, type ProbationTerms } from '../allowance/restriction'
import { probationInEffect, type Probation } from '../allowance/usage'
import { InputError, RefusedError } from '../base/errors'
import { openSteps, type Step } from '../cases/case'
import { Cases, MOST_NOTES } from '../cases/cases'
import { formatLimits, parseLimits, type Limits } from '../mail/limits'
import { confirmed, type Confirmation } from '../nodes/confirm'
import { serverTime } from '../store/server-clock'
import type { Store } from '../store/store'
import { existingTenant } from './tenants'

/** How to lift a restriction. */
export interface UnblockOptions extends Act {
  /** Keeps the windows: the next unregistered recipient may trip again. */
  readonly keepUsage: boolean
  /** A smaller allowance for some time afterwards. */
  readonly probation: ProbationTerms | undefined
  /** Lifts it with open steps, and records that. */
  readonly force: boolean
  /** The case of the restriction to lift, and no other; absent: that of the one in effect. */
  readonly only?: string
}

/** The settings that apply. */
export interface UnblockRules {
  /** `require`: all steps of the case must be ticked. */
  readonly checklist: 'advise' | 'require'
  /** The default allowance. */
  readonly allowance: Limits
}

/** The result of {@link lift}. */
export interface Lifted {
  /** `ended`: it was not restricted, and its probation has ended. */
  readonly result: 'lifted' | 'ended' | 'unchanged'
  /** The case of the restriction; `undefined`: it was not restricted, or its restriction is older than cases. */
  readonly case: string | undefined
  /** Steps of its checklist that are not ticked. */
  readonly openSteps: readonly Step[]
  /** The probation in effect, if one was asked for. */
  readonly probation: Probation | undefined
}

/** The result of {@link unblock}. */
export interface Unblocked extends Lifted {
  readonly confirmation: Confirmation
}

/**
 * Lifts the restriction of a tenant, records that in its case, and asks all processes whether they let its mail pass.
 *
 * @throws as {@link lift}.
 */
export async function unblock(
  store: Store,
  tenant: string,
  options: UnblockOptions,
  rules: UnblockRules,
): Promise<Unblocked> {
  const { result, confirmation } = await confirmed(store, [tenant], () =>
    lift(store, tenant, options, rules),
  )
  return { ...result, confirmation }
}

/**
 * The same without a question to processes.
 *
 * @throws {InputError} the probation is not smaller than the allowance.
 * @throws {NotFoundError} no such tenant.
 * @throws {RefusedError} steps must be ticked first, or another restriction was placed meanwhile.
 */
export async function lift(
  store: Store,
  tenant: string,
  { reason, by, keepUsage, probation, force, only }: UnblockOptions,
  { checklist, allowance }: UnblockRules,
): Promise<Lifted> {
  const cases = new Cases(store)
  const name = await cases.ensure(tenant)
  if (only !== undefined && only !== name) {
    return { result: 'unchanged', case: name, openSteps: [], probation: undefined }
  }
  const record = name === undefined ? undefined : await cases.get(name)
  const left = record ? openSteps(record) : []
  if (left.length > 0 && !force && checklist === 'require') throw stepsOpen(record!.name, left)
  if (probation) await assertSmaller(store, tenant, probation, allowance)

  const act = { reason, by, keepUsage, seen: name ?? '', ...(probation && { probation }) }
  const result = await new Restrictions(store).lift(tenant, act)
  if (result === 'lifted' && name !== undefined) {
    await cases.noteLift(name)
    const text = `unblocked with --force; not ticked: ${left.join(', ')}`
    if (left.length > 0 && force) await cases.note(name, { by, text }, MOST_NOTES + 1)
  }
  const now = probation && (await probationOf(store, tenant))
  return { result, case: name, openSteps: left, probation: now }
}

function stepsOpen(name: string, left: readonly Step[]): RefusedError {
  return new RefusedError(
    `case ${name} has open steps: ${left.join(', ')}; tick them (${tenantctl('case', 'check', name, left[0]!, '--note')} …), or unblock with --force, which the case records`,
  )
}

/** A probation of the same size as the allowance has no effect, so it is a typing error. */
async function assertSmaller(
  store: Store,
  tenant: string,
  { limits }: ProbationTerms,
  usual: Limits,
): Promise<void> {
  const { limits: own } = await existingTenant(store, tenant)
  const allowed = own === undefined ? usual : parseLimits(own)
  const isSmaller = parseLimits(limits).some(
    ({ count, window }) => !allowed.some((each) => each.count <= count && each.window >= window),
  )
  if (isSmaller) return
  throw new InputError(
    `--limits "${limits}" is not smaller than the allowance of ${tenant} (${formatLimits(allowed)}): give smaller limits, or none`,
  )
}

/** The probation in effect. */
async function probationOf(
  { client, keys }: Store,
  tenant: string,
): Promise<Probation | undefined> {
  const [packed, now] = await Promise.all([
    client.hget(keys.tenant(tenant), 'probation'),
    serverTime(client),
  ])
  return probationInEffect(packed, now)
}
