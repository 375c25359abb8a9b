import { openSteps, type Case, type Step } from '../cases/case'
import { Cases } from '../cases/cases'
import type { Store } from '../store/store'

// What people do with a case. Each names it as people do: `contoso:3`, or `contoso` for the latest one of a tenant. A case
// that a trip has just caused, and that no process has recorded yet, is recorded first.

/** What was done, and with which case. */
interface WorkedOn<R> {
  readonly case: string
  readonly result: R
}

/** Who was on a case before. */
interface Handed<R> extends WorkedOn<R> {
  readonly before: Case['taken']
}

/**
 * Says that a person is on a case.
 *
 * @param force takes it over from another person.
 * @throws {NotFoundError} no such case.   @throws {RefusedError} another person is on it, or it is closed.
 */
export async function takeCase(
  store: Store,
  given: string,
  by: string,
  force = false,
): Promise<Handed<'taken' | 'unchanged'>> {
  const { cases, name } = await recorded(store, given)
  return { case: name, ...(await cases.take(name, by, force)) }
}

/** Says that no person is on a case. @throws {NotFoundError} no such case.   @throws {RefusedError} it is closed. */
export async function releaseCase(
  store: Store,
  given: string,
): Promise<Handed<'released' | 'unchanged'>> {
  const { cases, name } = await recorded(store, given)
  return { case: name, ...(await cases.release(name)) }
}

/** @param text one line. @throws {NotFoundError} no such case.   @throws {RefusedError} it has too many notes. */
export async function noteCase(
  store: Store,
  given: string,
  { by, text }: { readonly by: string; readonly text: string },
): Promise<WorkedOn<'noted'>> {
  const { cases, name } = await recorded(store, given)
  await cases.note(name, { by, text })
  return { case: name, result: 'noted' }
}

/**
 * Ticks steps of the checklist.
 *
 * @param text what was found and done: one line.
 * @throws {NotFoundError} no such case.   @throws {RefusedError} it is closed.
 */
export async function checkCase(
  store: Store,
  given: string,
  steps: readonly Step[],
  { by, text }: { readonly by: string; readonly text: string },
): Promise<WorkedOn<'checked' | 'unchanged'> & { readonly ticked: Case; readonly left: Step[] }> {
  const { cases, name } = await recorded(store, given)
  const result = await cases.check(name, steps, { by, text })
  const ticked = await cases.existing(name)
  return { case: name, result, ticked, left: openSteps(ticked) }
}

/**
 * Closes a case.
 *
 * @param text one line; may be empty.
 * @throws {NotFoundError} no such case.   @throws {RefusedError} its restriction is not lifted.
 */
export async function closeCase(
  store: Store,
  given: string,
  { by, text }: { readonly by: string; readonly text: string },
): Promise<WorkedOn<'closed' | 'unchanged'>> {
  const { cases, name } = await recorded(store, given)
  return { case: name, result: await cases.close(name, { by, text }) }
}

async function recorded(
  store: Store,
  given: string,
): Promise<{ readonly cases: Cases; readonly name: string }> {
  const cases = new Cases(store)
  const name = await cases.nameOf(given)
  await cases.ensureNamed(name)
  return { cases, name }
}
