import { setTimeout as sleep } from 'node:timers/promises'
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

/** Checks indexes, ownership and the table of identities; with `mend`, repairs what it can. */
export async function checkConsistency(store: Store, mend: boolean): Promise<Line[]> {
  const found = await lastingInconsistencies(store)
  if (found.length === 0) {
    return [ok('consistency', 'indexes, ownership and identities are consistent')]
  }
  if (!mend) return found.map(lineOf)
  await repair(store, found)
  const left = await lastingInconsistencies(store)
  const mended = found.filter((each) => !left.some((other) => isSame(each, other)))
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
  const second = await findInconsistencies(store)
  return second.filter((each) => first.some((other) => isSame(each, other)))
}

function isSame(a: Inconsistency, b: Inconsistency): boolean {
  return a.kind === b.kind && a.tenant === b.tenant && a.subject === b.subject
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
