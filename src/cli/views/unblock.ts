import type { Probation } from '../../allowance/usage'
import { tenantctl } from '../../base/command-line'
import { shortTime } from '../../base/time'
import type { Step } from '../../cases/case'
import type { Unblocked } from '../../operations/unblock'

/** What an unblock has done. */
export function resultLine(
  tenant: string,
  result: Unblocked['result'],
  keepUsage: boolean,
): string {
  if (result === 'ended') return `${tenant} is not restricted; its probation has ended`
  if (result === 'unchanged') return `${tenant} is not restricted`
  return `unblocked ${tenant}${keepUsage ? ', its usage is kept' : ', its windows start afresh'}`
}

/** What probation it has led to. @param lifted by it: else the probation was there before. */
export function probationLine(probation: Probation | undefined, lifted: boolean): string {
  if (!probation) return 'no probation: it begins where a restriction is lifted'
  const holds = `${probation.limits} until ${shortTime(probation.until)}`
  return lifted ? `on probation: ${holds}` : `on probation as before: ${holds}`
}

/** What is left of the case. */
export function caseLine(name: string, left: readonly Step[]): string {
  const close = `${tenantctl('case', 'close', name, '--note')} …`
  if (left.length === 0) return `case ${name}: all steps are ticked; close it with ${close}`
  return `case ${name}: not ticked: ${left.join(', ')}; ${tenantctl('case', 'show', name)}`
}
