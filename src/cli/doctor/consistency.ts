import { setTimeout as sleep } from 'node:timers/promises'
import type { Work } from '../../base/work'
import { tenantctl } from '../../base/command-line'
import type { Store } from '../../store/store'
import {
  findInconsistencies,
  repair,
  type Inconsistency,
} from '../../registry/consistency/consistency'
import { fail, ok, type Line } from './line'

/** A change in progress is complete after this time, in ms. */
const SECOND_LOOK = 250

const CONSISTENT = ok('consistency', 'indexes, ownership and identities are consistent')

/** Checks indexes, ownership and the table of identities. */
export async function checkConsistency(store: Store): Promise<Line[]> {
  const found = await lastingInconsistencies(store)
  return found.length === 0 ? [CONSISTENT] : found.map(lineOf)
}

/** The same, and repairs what it can. */
export async function repairInconsistent(store: Store, work: Work): Promise<Line[]> {
  const found = await lastingInconsistencies(store)
  if (found.length === 0) return [CONSISTENT]
  await repair(store, found, work)
  const left = await lastingInconsistencies(store)
  const remain = new Set(left.map(identify))
  const mended = found.filter((each) => !remain.has(identify(each)))
  return [
    ...mended.map((each) =>
      ok('consistency', `mended: ${each.text} (${each.remedy})`, {
        subject: subjectOf(each),
        problem: `mended, of the kind ${each.kind}`,
      }),
    ),
    ...left.map(lineOf),
  ]
}

async function lastingInconsistencies(store: Store): Promise<Inconsistency[]> {
  const first = await findInconsistencies(store)
  if (first.length === 0) return []
  await sleep(SECOND_LOOK)
  const before = new Set(first.map(identify))
  const second = await findInconsistencies(store)
  return second.filter((each) => before.has(identify(each)))
}

/** What tells an inconsistency from others: there may be 100,000. */
function identify({ kind, tenant, subject }: Inconsistency): string {
  return [kind, tenant, subject].join('\t')
}

function lineOf(found: Inconsistency): Line {
  const { kind, text, remedy, repairable } = found
  const advice = repairable ? `${tenantctl('doctor', '--repair')} repairs it: ${remedy}` : remedy
  const problem = `contradictions of the kind ${kind}`
  return fail('consistency', text, advice, { subject: subjectOf(found), problem })
}

function subjectOf({ tenant, subject }: Inconsistency): string {
  return [subject, tenant].filter((each) => each !== '').join(' of ')
}
