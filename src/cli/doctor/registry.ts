import { messageOf, UserError } from '../../base/errors'
import type { Store } from '../../store/store'
import { lookAtRegistry, SchemaError } from '../../registry/epoch'
import { assertWhole } from '../kit/registry-guard'
import { fail, ok, warn, type Line } from './line'

/** Checks that Redis holds the registry, in a known schema. */
export interface RegistryCheck {
  readonly line: Line
  /** The registry may be read. */
  readonly known: boolean
  /** The registry may be repaired. */
  readonly whole: boolean
}

/** @param snapshot path of the snapshot file, or empty. */
export async function checkRegistry(store: Store, snapshot: string): Promise<RegistryCheck> {
  try {
    await assertWhole(store, snapshot)
  } catch (error) {
    if (!(error instanceof UserError)) throw error
    const known = !(error instanceof SchemaError)
    const advice = known
      ? 'until then nothing is written, and each process decides by its cache'
      : 'update tenantctl; the registry was not checked'
    return { line: fail('registry', messageOf(error), advice), known, whole: false }
  }
  return { line: await describe(store), known: true, whole: true }
}

async function describe(store: Store): Promise<Line> {
  const { epoch, tenants } = await lookAtRegistry(store)
  if (epoch) return ok('registry', `schema ${epoch.schema}, epoch ${epoch.epoch}`)
  if (tenants === 0) {
    return warn(
      'registry',
      'nothing is registered yet, and Redis has no epoch',
      'register the first tenant, or tenantctl init; if there was something, tenantctl restore',
    )
  }
  return warn(
    'registry',
    'Redis has no epoch, so a loss of the registry would not be noticed',
    'start Haraka with this version, or tenantctl init',
  )
}
