import { messageOf } from '../base/errors'
import { mapLimited } from '../base/limiter'
import { answerText, type Question } from '../nodes/question'
import type { Mark } from '../records/token'
import { isNotAllowed } from '../store/failure'
import type { Store } from '../store/store'
import { RegistryUnusable, type RegistryMonitor } from './registry-monitor'

/** Subjects that are read at the same time. */
const AT_ONCE = 32

/** What {@link confirm} needs from the directory that it is part of. */
export interface ConfirmationContext {
  readonly store: Store
  readonly processId: string
  readonly registry: RegistryMonitor
  /** Resolves once all changes of a subject until `mark` are in force in this process. */
  readonly reach: (subject: string, mark: Mark) => Promise<void>
}

/**
 * Says that this process has changes in force, once it has, or why it has not.
 *
 * @throws where Redis does not take the answer.
 */
export async function confirm(context: ConfirmationContext, question: Question): Promise<void> {
  const { client, keys } = context.store
  const why = await whyNot(context, question)
  const answer = { process: context.processId, ...(why !== undefined && { why }) }
  try {
    await client.publish(keys.confirmations(question.confirm), answerText(answer))
  } catch (error) {
    // With an ACL of a version before this one; its heartbeat says so.
    if (!isNotAllowed(error)) throw error
  }
}

/** `undefined`: all of them are in force. */
async function whyNot(
  { registry, reach }: ConfirmationContext,
  { marks }: Question,
): Promise<string | undefined> {
  try {
    if (registry.state !== 'usable') await registry.check()
    await mapLimited([...marks], AT_ONCE, ([subject, mark]) => reach(subject, mark))
    return undefined
  } catch (error) {
    if (!(error instanceof RegistryUnusable)) return messageOf(error)
    return registry.state === 'newer'
      ? 'a later version wrote the registry'
      : 'its registry is lost'
  }
}
