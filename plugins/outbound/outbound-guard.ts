import constants from 'haraka-constants'
import type { HMail, Mx, OutboundNext } from '../kit/haraka'

/** What a hook of the outbound queue answers: CONT where it is `undefined`. */
export type OutboundAnswer =
  | undefined
  /** send_email only: Haraka asks again after so many seconds. */
  | { readonly delay: number }
  /** It is not to be sent: there is no further hook, and Haraka goes on with other mail. */
  | { readonly discard: true }
  /** get_mx only: the servers, in this order. */
  | { readonly route: readonly Mx[] }
  /** get_mx only: nothing is known for now; Haraka tries later, as after any failure. */
  | { readonly defer: string }

/**
 * What `guarded` is for hooks of sessions: always answers, and once. Where something of ours failed, mail goes its way as
 * without us: none is lost.
 */
export function guardedOutbound(
  hook: (hmail: HMail) => OutboundAnswer | Promise<OutboundAnswer>,
  onFailure: (error: unknown) => void,
): (next: OutboundNext, hmail: HMail) => void {
  return (next, hmail) => {
    let answer: OutboundAnswer | Promise<OutboundAnswer>
    try {
      answer = hook(hmail)
    } catch (error) {
      onFailure(error)
      answer = undefined
    }
    if (!(answer instanceof Promise)) return tell(next, hmail, answer)
    const tellNow = (settled: OutboundAnswer): void => {
      try {
        tell(next, hmail, settled)
      } catch (error) {
        // It comes from what Haraka or a later plugin does with the answer.
        onFailure(error)
      }
    }
    void answer.then(tellNow, (error: unknown) => {
      onFailure(error)
      tellNow(undefined)
    })
  }
}

function tell(next: OutboundNext, hmail: HMail, answer: OutboundAnswer): void {
  if (answer === undefined) next()
  else if ('delay' in answer) next(constants.delay, answer.delay)
  else if ('route' in answer) next(constants.ok, answer.route)
  else if ('defer' in answer) next(constants.denysoft, answer.defer)
  else hmail.discard()
}
