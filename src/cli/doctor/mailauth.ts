import type { ForwardedSettings } from '../../message/settings'
import { mailauthProblem } from '../../message/proof/mailauth'
import { fail, ok, type Line } from './line'

/** Checks that what proves forwards is installed, where they are told apart. */
export function checkMailauth({ enabled }: Pick<ForwardedSettings, 'enabled'>): Line[] {
  if (!enabled) return []
  const problem = mailauthProblem()
  if (problem) return [fail('mailauth', problem.message, problem.advice)]
  return [ok('mailauth', 'mailauth is installed, so forwards can be proven')]
}
