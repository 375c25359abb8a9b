import type { Restriction } from '../../allowance/restriction'
import { count } from '../../base/count'
import { RefusedError } from '../../base/errors'
import { isoTime, shortTime } from '../../base/time'
import { describeTrigger } from '../../mail/trigger'
import { confirmed, type Confirmation } from '../../nodes/confirm'
import {
  restrictedSince,
  unblockListed,
  type RestrictedSince,
  type UnblockedListed,
} from '../../operations/unblock-since'
import type { Context } from '../kit/context'
import { longWork } from '../kit/long-work'
import type { Output } from '../kit/output'
import { assertConfirmed, confirmationView, printConfirmation } from '../views/confirmation'
import { some } from '../views/counts'

/** What the command was given. */
export interface SinceOptions {
  /** ms since the epoch */
  readonly since: number
  readonly reason: string
  readonly force: boolean
  readonly yes: boolean
  readonly wait: boolean
}

const MOST_NAMED = 20
const NOTHING: UnblockedListed = { lifted: [], changed: [], kept: [] }

/**
 * `tenantctl unblock --since TIME`: lists who has tripped since, asks, lifts these restrictions and closes their cases.
 *
 * @throws {RefusedError} `--yes` is needed, or some stay restricted.
 */
export async function unblockSince(
  context: Context,
  { since, reason, force, yes, wait }: SinceOptions,
): Promise<void> {
  const { by, out, io } = context
  // With --force the checklist does not count.
  if (!force) context.needed('case')
  const { case: cases, allowance } = context.config()
  const rules = { checklist: cases.checklist, allowance: allowance.limits }
  await context.writing(async (store) => {
    const listed = await restrictedSince(store, since)
    const { automatic } = listed
    if (!out.json) printListed(out, since, listed)
    if (automatic.length === 0)
      return out.result(view('unchanged', since, listed, NOTHING), () => {})

    const many = count(automatic.length, 'restriction')
    if (!yes) {
      if (!io.asks) throw new RefusedError(`${many} would be lifted: add --yes to do it`)
      if (!(await context.confirmed(`Lift ${many} and close the cases? [y/N] `))) {
        const kept = view('unchanged', since, listed, NOTHING)
        return out.result(kept, () => out.line('nothing was lifted'))
      }
    }
    const tenants = automatic.map(({ tenant }) => tenant)
    const { result: unblocked, confirmation } = await confirmed(store, tenants, () =>
      longWork(io, 'lifting restrictions', (work) =>
        unblockListed(store, automatic, { by, reason, force }, rules, work),
      ),
    )
    out.result(view('lifted', since, listed, unblocked, confirmation), () => {
      printUnblocked(out, unblocked)
      printConfirmation(out, confirmation, 'unblock')
    })
    const { length } = unblocked.kept
    if (length > 0) throw new RefusedError(`${count(length, 'tenant')} of them: still restricted`)
    if (wait) assertConfirmed(confirmation)
  })
}

function printListed(out: Output, since: number, { automatic, byHand }: RestrictedSince): void {
  out.table(
    ['TENANT', 'CASE', 'SINCE', 'TRIGGER'],
    automatic.map((each) => [
      each.tenant,
      each.case || '-',
      shortTime(each.since),
      each.trigger ? describeTrigger(each.trigger) : '',
    ]),
    `no tenant has tripped since ${shortTime(since)}`,
  )
  if (byHand.length === 0) return
  out.line(`left as they are, since a person placed them: ${names(byHand)}`)
}

function printUnblocked(out: Output, { lifted, changed, kept }: UnblockedListed): void {
  for (const { restriction, reason } of kept) out.line(`${restriction.tenant}: ${reason}`, 'bad')
  out.line(`unblocked ${count(lifted.length, 'tenant')}, and closed their cases`)
  if (changed.length > 0) {
    out.line(`lifted or restricted anew meanwhile, so left as they are: ${names(changed)}`)
  }
}

function view(
  result: 'lifted' | 'unchanged',
  since: number,
  { byHand }: RestrictedSince,
  { lifted, changed, kept }: UnblockedListed,
  confirmation?: Confirmation,
): object {
  return {
    result,
    since: isoTime(since),
    lifted: lifted.map(named),
    changed: changed.map(named),
    kept: kept.map(({ restriction, reason }) => ({ ...named(restriction), reason })),
    by_hand: byHand.map(named),
    confirmed: confirmation ? confirmationView(confirmation) : null,
  }
}

function names(restrictions: readonly Restriction[]): string {
  return some(
    restrictions.map(({ tenant }) => tenant),
    MOST_NAMED,
  )
}

function named({ tenant, case: name }: Restriction): object {
  return { tenant, case: name || null }
}
