import { Restrictions, type Act } from '../allowance/restriction'
import { Cases } from '../cases/cases'
import type { Scope } from '../mail/scope'
import type { Store } from '../store/store'

/** What {@link block} has done. */
export interface Blocked {
  readonly result: Awaited<ReturnType<Restrictions['place']>>
  /** `tenant:number`; `undefined`: it was restricted before there were cases. */
  readonly case: string | undefined
}

/**
 * Restricts a tenant by hand, and opens the case of that.
 *
 * @throws {NotFoundError} no such tenant.
 * @throws {RefusedError} it is restricted with scope `all`, and `unregistered` would loosen that.
 */
export async function block(
  store: Store,
  tenant: string,
  act: Act & { readonly scope: Scope },
): Promise<Blocked> {
  const cases = new Cases(store)
  // A trip whose case no process has opened yet is recorded as it was, before it is widened.
  await cases.ensure(tenant)
  const result = await new Restrictions(store).place(tenant, act)
  return { result, case: await cases.ensure(tenant) }
}
