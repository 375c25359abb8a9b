import constants from 'haraka-constants'
import dsn, { type DSN } from 'haraka-dsn'
import { REPLIES, type Reply } from '../../src/decision/reply'
import type { HMail, Mx, Next } from './haraka'

/** What a hook of a session answers: CONT where it is `undefined`, OK where it says so. */
export type Answer = Reply | 'ok' | undefined

/** What a hook of the outbound queue answers: CONT where it is `undefined`. */
export type OutboundAnswer =
  | undefined
  /** send_email only: Haraka asks again after this many seconds. */
  | { readonly delay: number }
  /** The message is not sent: no further hook runs, and Haraka goes on with other mail. */
  | { readonly discard: HMail }
  /** get_mx only: the servers, in this order. */
  | { readonly route: readonly Mx[] }
  /** get_mx only: no server is known now. Haraka tries again later, as after any failure. */
  | { readonly defer: string }

/** A hook as Haraka calls it. */
export type GuardedHook<Subject, Params> = (next: Next, subject: Subject, params: Params) => void

type AnyAnswer = Answer | OutboundAnswer

/**
 * Wraps a hook so that it always answers, and once. In Haraka a hook that throws passes the mail silently (plugins.js,
 * run_next_hook), a rejected promise ends the worker (haraka.js, uncaughtException), and a hook without an answer blocks
 * the session.
 *
 * @param onFailure gets what the hook threw or rejected with, and returns the answer instead. Must not throw.
 */
export function guarded<Subject, Params, A extends AnyAnswer>(
  hook: (subject: Subject, params: Params) => A | Promise<A>,
  onFailure: (error: unknown, subject: Subject) => A,
): GuardedHook<Subject, Params> {
  return (next, subject, params) => {
    let answer: A | Promise<A>
    try {
      answer = hook(subject, params)
    } catch (error) {
      answer = onFailure(error, subject)
    }
    if (answer instanceof Promise) tellLater(next, subject, answer, onFailure)
    else tell(next, answer)
  }
}

/** A function of its own: a closure in `guarded` would cost every call, and few hooks wait. */
function tellLater<Subject, A extends AnyAnswer>(
  next: Next,
  subject: Subject,
  answer: Promise<A>,
  onFailure: (error: unknown, subject: Subject) => A,
): void {
  const tellNow = (settled: A): void => {
    try {
      tell(next, settled)
    } catch (error) {
      // Haraka or a later plugin threw while it handled the answer.
      onFailure(error, subject)
    }
  }
  void answer.then(tellNow, (error: unknown) => tellNow(onFailure(error, subject)))
}

function tell(next: Next, answer: AnyAnswer): void {
  if (answer === undefined) next()
  else if (answer === 'ok') next(constants.ok)
  // Haraka would turn a 451 without a DSN object into a 450.
  else if ('code' in answer)
    next(answer.code === 550 ? constants.deny : constants.denysoft, dsnOf(answer))
  else if ('delay' in answer) next(constants.delay, answer.delay)
  else if ('route' in answer) next(constants.ok, answer.route)
  else if ('defer' in answer) next(constants.denysoft, answer.defer)
  else answer.discard.discard()
}

const DSNS = new Map<Reply, DSN>(
  Object.values(REPLIES).map((reply: Reply) => [reply, toDsn(reply)]),
)

/** Replies that name a case are built for each refusal; all others once. */
function dsnOf(reply: Reply): DSN {
  return DSNS.get(reply) ?? toDsn(reply)
}

function toDsn({ code, text, subject, detail }: Reply): DSN {
  return dsn.create(code, text, subject, detail)
}
