import type { Alert } from '../records/event'

/** The result of one delivery attempt. */
export type Outcome =
  | { readonly kind: 'delivered' }
  /** This channel does not deliver such an alert. */
  | { readonly kind: 'skipped' }
  /** Not to be delivered yet: to be looked at again after so many ms, or a little later. No attempt has failed. */
  | { readonly kind: 'waiting'; readonly ms: number }
  /** To be tried again. */
  | {
      readonly kind: 'failed'
      readonly reason: string
      /** How long to send the overloaded receiver nothing, in ms. */
      readonly pause?: number
    }
  /** Not to be tried again. */
  | { readonly kind: 'refused'; readonly reason: string }

/** One way to deliver alerts: webhook, mail to operators, mail to contacts. */
export interface Channel {
  /** Also the name of its consumer group in Redis. */
  readonly name: string
  /** Its receiver by the current configuration; empty: the channel is off. */
  destination(): string
  /** Whether it delivers an alert that joined another one, too. */
  takesJoined?(alert: Alert): boolean
  /** Makes one attempt, in less time than the lease of the schedule. A throw counts as a failure. */
  deliver(alert: Alert): Promise<Outcome>
}

export const DELIVERED: Outcome = { kind: 'delivered' }
export const SKIPPED: Outcome = { kind: 'skipped' }
/** Between the claim of the alert and its delivery. */
export const SWITCHED_OFF: Outcome = { kind: 'failed', reason: 'it has been switched off' }
