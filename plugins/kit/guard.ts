import constants from 'haraka-constants'
import dsn, { type DSN } from 'haraka-dsn'
import { REPLIES, type Reply } from '../../src/decision/reply'
import type { Connection, Next } from './haraka'

/** What a hook answers: CONT where it is `undefined`, OK where it says so. */
export type Answer = Reply | 'ok' | undefined

/** What one part answers, else what the next one does: at once, unless the first has to wait. */
export function orElse(
  answer: Answer | Promise<Answer>,
  next: () => Answer | Promise<Answer>,
): Answer | Promise<Answer> {
  if (answer instanceof Promise) return answer.then((settled) => settled ?? next())
  return answer ?? next()
}

const DSNS = new Map<Reply, DSN>(
  Object.values(REPLIES).map((reply: Reply) => [reply, toDsn(reply)]),
)

/** Most replies are always the same; those that name a case are not. */
function dsnOf(reply: Reply): DSN {
  return DSNS.get(reply) ?? toDsn(reply)
}

function toDsn({ code, text, subject, detail }: Reply): DSN {
  return dsn.create(code, text, subject, detail)
}

/** Tells Haraka what a hook answers. A 451 needs a DSN object: Haraka makes 450 of any other. */
function tell(next: Next, answer: Answer): void {
  if (answer === undefined) next()
  else if (answer === 'ok') next(constants.ok)
  else next(answer.code === 550 ? constants.deny : constants.denysoft, dsnOf(answer))
}

/** Called with what a hook threw or rejected with; says what to answer. Must not throw. */
export type OnFailure = (error: unknown, connection: Connection) => Answer

/**
 * Wraps a hook so that it always answers, and once: in Haraka a synchronous throw is a silent pass (plugins.js,
 * run_next_hook), a rejected promise ends the worker (haraka.js, uncaughtException), and no answer holds the session.
 */
export function guarded<Params>(
  hook: (connection: Connection, params: Params) => Answer | Promise<Answer>,
  onFailure: OnFailure,
): (next: Next, connection: Connection, params: Params) => void {
  return (next, connection, params) => {
    let answer: Answer | Promise<Answer>
    try {
      answer = hook(connection, params)
    } catch (error) {
      answer = onFailure(error, connection)
    }
    if (answer instanceof Promise) tellLater(next, connection, answer, onFailure)
    else tell(next, answer)
  }
}

/** Apart from the hook: a closure in there would cost every call, and nearly none waits. */
function tellLater(
  next: Next,
  connection: Connection,
  answer: Promise<Answer>,
  onFailure: OnFailure,
): void {
  const tellNow = (settled: Answer): void => {
    try {
      tell(next, settled)
    } catch (error) {
      // It comes from what Haraka or a later plugin does with the answer.
      onFailure(error, connection)
    }
  }
  void answer.then(tellNow, (error: unknown) => tellNow(onFailure(error, connection)))
}
