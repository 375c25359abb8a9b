import { setTimeout as sleep } from 'node:timers/promises'
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
    ...mended.map(({ text, remedy }) => ok('consistency', `mended: ${text} (${remedy})`)),
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

function lineOf({ text, remedy, repairable }: Inconsistency): Line {
  const advice = repairable ? `tenantctl doctor --repair repairs it: ${remedy}` : remedy
  return fail('consistency', text, advice)
}
