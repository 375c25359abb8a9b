import { Restrictions, type Act, type Restriction } from '../allowance/restriction'
import { RefusedError, UserError } from '../base/errors'
import { mapLimited } from '../base/limiter'
import { batchesOf } from '../base/lists'
import { InterruptedError, isStopped, type Work } from '../base/work'
import { Cases } from '../cases/cases'
import type { Store } from '../store/store'
import { lift, type UnblockRules } from './unblock'

/** Restrictions lifted at a time. */
const BATCH = 32
/** A restriction is known by its case: without one, another one could be lifted. */
const NO_CASE = 'it is older than cases: unblock it by its name'

/** The restrictions since a time, the oldest first. */
export interface RestrictedSince {
  /** Those that tripped. */
  readonly automatic: readonly Restriction[]
  /** Those that a person placed: only a person's look at each of them lifts them. */
  readonly byHand: readonly Restriction[]
}

/** @param since ms since the epoch, server time. */
export async function restrictedSince(store: Store, since: number): Promise<RestrictedSince> {
  const all = await new Restrictions(store).list()
  const later = all.filter((each) => each.since >= since).reverse()
  return {
    automatic: later.filter(({ by }) => by === 'automatic'),
    byHand: later.filter(({ by }) => by !== 'automatic'),
  }
}

/** A restriction that stays, and why. */
export interface Kept {
  readonly restriction: Restriction
  readonly reason: string
}

/** The result of {@link unblockListed}. */
export interface UnblockedListed {
  /** Lifted, and their cases closed. */
  readonly lifted: readonly Restriction[]
  /** Lifted, or lifted and placed anew, since they were listed: left as they are. */
  readonly changed: readonly Restriction[]
  readonly kept: readonly Kept[]
}

/**
 * Lifts these very restrictions and closes their cases, in their order, so that the alert about the end of each follows
 * the order of those about its beginning.
 *
 * @param restrictions as they were listed: one that was placed since stays.
 * @param act the reason is also the note in each case.
 * @throws {InterruptedError} after the batch in hand.
 */
export async function unblockListed(
  store: Store,
  restrictions: readonly Restriction[],
  act: Act & { readonly force: boolean },
  rules: UnblockRules,
  work: Work = {},
): Promise<UnblockedListed> {
  const [lifted, changed, kept]: [Restriction[], Restriction[], Kept[]] = [[], [], []]
  let done = 0
  for (const batch of batchesOf(restrictions, BATCH)) {
    if (isStopped(work)) throw stopped(lifted.length, restrictions.length - done)
    await mapLimited(batch, BATCH, async (restriction) => {
      try {
        if (restriction.case === '') throw new RefusedError(NO_CASE)
        const isLifted = await unblockOne(store, restriction, act, rules)
        ;(isLifted ? lifted : changed).push(restriction)
      } catch (error) {
        if (!(error instanceof UserError)) throw error
        kept.push({ restriction, reason: error.message })
      }
    })
    work.progress?.((done += batch.length), restrictions.length)
  }
  return { lifted, changed, kept }
}

async function unblockOne(
  store: Store,
  { tenant, case: only }: Restriction,
  { by, reason, force }: Act & { readonly force: boolean },
  rules: UnblockRules,
): Promise<boolean> {
  const options = { reason, by, force, only, keepUsage: false, probation: undefined }
  const { result } = await lift(store, tenant, options, rules)
  if (result !== 'lifted') return false
  await new Cases(store).close(only, { by, text: reason })
  return true
}

function stopped(lifted: number, left: number): InterruptedError {
  return new InterruptedError(
    `stopped: ${lifted} lifted, ${left} not; run the same command again to go on`,
  )
}
