import { Restrictions, type Act } from '../allowance/restriction'
import { Cases } from '../cases/cases'
import { toPause } from '../enforcement/in-effect'
import { readPause } from '../enforcement/pause'
import type { Scope } from '../mail/scope'
import { confirmed, type Confirmation } from '../nodes/confirm'
import type { Store } from '../store/store'

/** The result of {@link block}. */
export interface Blocked {
  readonly result: Awaited<ReturnType<Restrictions['place']>>
  /** `tenant:number`; `undefined`: its restriction is older than cases. */
  readonly case: string | undefined
  /** It had tripped before, and its mail passes all the same: a pause leaves only what persons have restricted. */
  readonly passes: boolean
  readonly confirmation: Confirmation
}

/**
 * Restricts a tenant by hand, opens its case, and asks all processes whether they refuse its mail.
 *
 * @throws {NotFoundError} no such tenant.
 * @throws {RefusedError} it is restricted with scope `all`, and `unregistered` would loosen that.
 */
export async function block(
  store: Store,
  tenant: string,
  act: Act & { readonly scope: Scope },
): Promise<Blocked> {
  const { result, confirmation } = await confirmed(store, [tenant], () => place(store, tenant, act))
  const passes = result.result === 'unchanged' && (await passesInPause(store, tenant))
  return { ...result, passes, confirmation }
}

async function place(
  store: Store,
  tenant: string,
  act: Act & { readonly scope: Scope },
): Promise<Pick<Blocked, 'result' | 'case'>> {
  const cases = new Cases(store)
  // First record a trip whose case is not open yet: placing may widen its restriction.
  await cases.ensure(tenant)
  const result = await new Restrictions(store).place(tenant, act)
  return { result, case: await cases.ensure(tenant) }
}

async function passesInPause(store: Store, tenant: string): Promise<boolean> {
  const pause = toPause(await readPause(store))
  const restriction = await new Restrictions(store).get(tenant)
  return pause !== undefined && !pause.everything && restriction?.by === 'automatic'
}
