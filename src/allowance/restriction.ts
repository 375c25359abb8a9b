import { tenantctl } from '../base/command-line'
import { noSuchTenant, RefusedError } from '../base/errors'
import { mapLimited } from '../base/limiter'
import type { Mode, TenantMode } from '../mail/mode'
import { MAIL_INCLUDES } from '../mail/scripts'
import { readScript } from '../store/script'
import type { Store } from '../store/store'
import { randomToken } from '../records/token'
import type { Scope } from '../mail/scope'
import { parseTrigger, type Trigger } from '../mail/trigger'
import { indexProbation } from './probation-index'
import type { Lift, RestrictionFields } from './standing'

const PLACE = readScript(__dirname, 'place')
const LIFT = readScript(__dirname, 'lift', MAIL_INCLUDES)
const PUT_RESTRICTION_BACK = readScript(__dirname, 'put_restriction_back')
const PUT_LIFT_BACK = readScript(__dirname, 'put_lift_back', MAIL_INCLUDES)

/** Restrictions read concurrently. */
const BATCH = 500

/** The persistent state in which mail of a tenant is refused. It never expires: a person lifts it. */
export interface Restriction {
  readonly tenant: string
  /** ms since the epoch, server time */
  readonly since: number
  /** Who placed it; `automatic` where the allowance was exceeded. */
  readonly by: string
  readonly reason: string
  readonly scope: Scope
  readonly trigger: Trigger | undefined
  /** The case that it opened: `tenant:number`; empty: it is older than cases. */
  readonly case: string
  /** It tripped within the probation after the previous restriction. */
  readonly onProbation: boolean
}

/** A smaller allowance for some time after a lift. */
export interface ProbationTerms {
  /** Allowance for unregistered mail, canonical text (see `formatLimits`). */
  readonly limits: string
  /** ms */
  readonly duration: number
}

/** Who acts, and why. */
export interface Act {
  readonly by: string
  readonly reason: string
}

/** What to lift, and how; see {@link Restrictions.lift}. */
interface LiftOrder extends Act {
  readonly keepUsage: boolean
  readonly probation?: ProbationTerms
  readonly seen?: string
}

/** Places, lifts and lists restrictions. */
export class Restrictions {
  constructor(private readonly store: Store) {}

  /**
   * Restricts a tenant by order of a person; a tripped restriction can be widened to `all`.
   *
   * @throws {NotFoundError} no such tenant.
   * @throws {RefusedError} it is restricted with scope `all`, which `unregistered` would narrow.
   */
  async place(
    tenant: string,
    { scope, by, reason }: Act & { scope: Scope },
  ): Promise<'placed' | 'widened' | 'unchanged'> {
    const { keys } = this.store
    const reply = (await this.store.run(
      PLACE,
      [keys.tenant(tenant), keys.restriction(tenant), keys.audit(tenant)],
      [scope, by, reason, randomToken(), this.store.actor],
    )) as 'placed' | 'widened' | 'unchanged' | 'narrower' | 'gone'
    if (reply === 'gone') throw noSuchTenant(tenant)
    if (reply === 'narrower') {
      throw new RefusedError(
        `${tenant} is restricted with scope all; to loosen that, unblock it first, then block it without --all`,
      )
    }
    await this.index(tenant)
    return reply
  }

  /**
   * Lifts a restriction, or clears the first would-be trip of a tenant in monitor, and empties the windows. Ends the
   * probation of a tenant that is not restricted.
   *
   * @param keepUsage leaves the windows as they are: the next unregistered recipient may trip again.
   * @param probation what is in effect from then on; without it, an earlier probation ends. Ignored where the tenant is not
   *   restricted: its probation stays.
   * @param seen the case that the caller has seen, or empty: none. A case opened since is not lifted, and if the seen case
   *   was lifted since, a probation stays. Not given: any case.
   * @throws {NotFoundError} no such tenant.
   * @throws {RefusedError} it is restricted by another case than `seen`.
   */
  async lift(
    tenant: string,
    { by, reason, keepUsage, probation, seen = 'any' }: LiftOrder,
  ): Promise<'lifted' | 'ended' | 'unchanged'> {
    const { keys } = this.store
    const reply = (await this.store.run(
      LIFT,
      [keys.tenant(tenant), keys.restriction(tenant), keys.usage(tenant), keys.audit(tenant)],
      [
        ...[by, reason, keepUsage ? 1 : 0, randomToken()],
        ...[probation?.limits ?? '', probation?.duration ?? 0, this.store.actor, seen],
      ],
    )) as 'lifted' | 'ended' | 'unchanged' | 'other' | 'gone'
    if (reply === 'gone') throw noSuchTenant(tenant)
    if (reply === 'other') {
      throw new RefusedError(
        `${tenant} has just been restricted anew, by another case: look at it (${tenantctl('case', 'list', tenant)}), then unblock it`,
      )
    }
    await this.removeFromIndex(tenant)
    await indexProbation(this.store, tenant)
    return reply
  }

  /**
   * Puts a restriction back that Redis has lost, with its case and the id of its event; once, however many processes call it.
   *
   * @returns whether this call has put it back.
   */
  async putBack(tenant: string, created: string, restriction: RestrictionFields): Promise<boolean> {
    const { keys, actor } = this.store
    const reply = await this.store.run(
      PUT_RESTRICTION_BACK,
      [keys.tenant(tenant), keys.restriction(tenant), keys.audit(tenant)],
      [randomToken(), actor, created, ...Object.entries(restriction).flat()],
    )
    if (reply !== 'placed' && reply !== 'widened') return false
    await this.index(tenant)
    return true
  }

  /**
   * Puts a lift back that Redis has lost, and lifts the restriction if Redis holds it; once, however many processes call it.
   *
   * @returns whether this call has put it back.
   */
  async putLiftBack(tenant: string, created: string, lift: Lift): Promise<boolean> {
    const { keys, actor } = this.store
    const reply = await this.store.run(
      PUT_LIFT_BACK,
      [keys.tenant(tenant), keys.restriction(tenant), keys.usage(tenant), keys.audit(tenant)],
      [randomToken(), actor, created, ...Object.entries(lift).flat()],
    )
    if (reply === 'lifted') await this.removeFromIndex(tenant)
    await indexProbation(this.store, tenant)
    return reply === 'lifted' || reply === 'noted'
  }

  /**
   * Adds the tenant to the index of restricted tenants. A second call changes nothing, and neither does a late one: a tenant
   * whose restriction was lifted meanwhile is removed again.
   */
  async index(tenant: string): Promise<void> {
    const { client, keys } = this.store
    await client.sadd(keys.restricted, tenant)
    if (!(await client.exists(keys.restriction(tenant)))) await this.removeFromIndex(tenant)
  }

  private async removeFromIndex(tenant: string): Promise<void> {
    const { client, keys } = this.store
    await client.srem(keys.restricted, tenant)
    // A trip just before this line would be lost from the index: look again.
    if (await client.exists(keys.restriction(tenant))) await client.sadd(keys.restricted, tenant)
  }

  async get(tenant: string): Promise<Restriction | undefined> {
    const fields = await this.store.client.hgetall(this.store.keys.restriction(tenant))
    return decodeRestriction(tenant, fields)
  }

  /** All restrictions, the newest first. */
  async list(): Promise<Restriction[]> {
    const tenants = await this.store.client.smembers(this.store.keys.restricted)
    const restrictions = await mapLimited(tenants, BATCH, (tenant) => this.get(tenant))
    return restrictions
      .filter((restriction) => restriction !== undefined)
      .sort((a, b) => b.since - a.since || a.tenant.localeCompare(b.tenant))
  }
}

/** What the mode in effect for a tenant depends on. @param mode its own. */
export function modeFacts(
  mode: Mode | undefined,
  restriction: Pick<Restriction, 'scope' | 'by'> | undefined,
): TenantMode {
  return { mode, restricted: restriction?.scope, restrictedBy: restriction?.by ?? '' }
}

/** Reads a restriction out of its hash; `undefined` where there is none. */
export function decodeRestriction(
  tenant: string,
  fields: Readonly<Record<string, string>>,
): Restriction | undefined {
  if (!fields['scope']) return undefined
  return {
    tenant,
    since: Number(fields['since']),
    by: fields['by'] ?? '',
    reason: fields['reason'] ?? '',
    scope: fields['scope'] as Scope,
    trigger: parseTrigger(fields),
    case: fields['case'] ?? '',
    onProbation: fields['probation'] === '1',
  }
}
