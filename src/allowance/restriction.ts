import { noSuchTenant, RefusedError } from '../base/errors'
import { MAIL_INCLUDES } from '../mail/scripts'
import { readScript } from '../store/script'
import type { Store } from '../store/store'
import { randomToken } from '../records/token'
import type { Scope } from '../mail/scope'
import { parseTrigger, type Trigger } from '../mail/trigger'

const PLACE = readScript(__dirname, 'place')
const LIFT = readScript(__dirname, 'lift', MAIL_INCLUDES)

/** The persistent state in which mail of a tenant is refused. It has no expiry: a person lifts it. */
export interface Restriction {
  readonly tenant: string
  /** ms since the epoch, server time */
  readonly since: number
  /** Who placed it; `automatic` where the allowance was exceeded. */
  readonly by: string
  readonly reason: string
  readonly scope: Scope
  readonly trigger: Trigger | undefined
  /** The case that it has opened: `tenant:number`; empty where it is older than cases. */
  readonly case: string
  /** It tripped within the probation that followed the one before. */
  readonly onProbation: boolean
}

/** A smaller allowance that is to hold for some time after a lift. */
export interface ProbationTerms {
  /** Allowance for unregistered mail, canonical text (see `formatLimits`). */
  readonly limits: string
  /** ms */
  readonly duration: number
}

/** Who does something, and why. */
export interface Act {
  readonly by: string
  readonly reason: string
}

/** What is to be lifted, and how; see {@link Restrictions.lift}. */
export interface Lift extends Act {
  readonly keepUsage: boolean
  readonly probation?: ProbationTerms
  readonly seen?: string
}

/** Places, lifts and lists restrictions. */
export class Restrictions {
  constructor(private readonly store: Store) {}

  /**
   * Restricts a tenant by hand; a tripped restriction can be widened to `all`.
   *
   * @throws {NotFoundError} no such tenant.
   * @throws {RefusedError} it is restricted with scope `all`, and `unregistered` would loosen that.
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
   * Lifts a restriction, or clears the first would-be trip of a tenant in monitor, and starts the windows afresh.
   *
   * A tenant on probation that is not restricted has that ended.
   *
   * @param keepUsage leaves the windows as they are: the next unregistered recipient may trip again.
   * @param probation what holds from then on; without it, a probation before ends as well. Of a tenant that is not
   *   restricted, one that it is on stays as it is.
   * @param seen the case that the caller has looked at, or empty: none. Another one that has been opened since is not
   *   lifted, and where it has been lifted since, a probation stays. Not given: whatever there is.
   * @throws {NotFoundError} no such tenant.
   * @throws {RefusedError} it is restricted by another case than `seen`.
   */
  async lift(
    tenant: string,
    { by, reason, keepUsage, probation, seen = 'any' }: Lift,
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
        `${tenant} has just been restricted anew, by another case: look at it (tenantctl case list ${tenant}), then unblock it`,
      )
    }
    await this.takeOutOfIndex(tenant)
    return reply
  }

  /**
   * Names the tenant in the index of the restricted. Doing it twice changes nothing, nor does doing it late: what was
   * lifted meanwhile is taken out again.
   */
  async index(tenant: string): Promise<void> {
    const { client, keys } = this.store
    await client.sadd(keys.restricted, tenant)
    if (!(await client.exists(keys.restriction(tenant)))) await this.takeOutOfIndex(tenant)
  }

  private async takeOutOfIndex(tenant: string): Promise<void> {
    const { client, keys } = this.store
    await client.srem(keys.restricted, tenant)
    // A trip just before this line would lose its place: look again.
    if (await client.exists(keys.restriction(tenant))) await client.sadd(keys.restricted, tenant)
  }

  async get(tenant: string): Promise<Restriction | undefined> {
    const fields = await this.store.client.hgetall(this.store.keys.restriction(tenant))
    return decodeRestriction(tenant, fields)
  }

  /** All restrictions, the newest first. */
  async list(): Promise<Restriction[]> {
    const tenants = await this.store.client.smembers(this.store.keys.restricted)
    const restrictions = await Promise.all(tenants.map((tenant) => this.get(tenant)))
    return restrictions
      .filter((restriction) => restriction !== undefined)
      .sort((a, b) => b.since - a.since || a.tenant.localeCompare(b.tenant))
  }
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
