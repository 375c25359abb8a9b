import type { Alert } from '../records/event'

/** What became of one attempt. */
export type Outcome =
  | { readonly kind: 'delivered' }
  /** It is none for this channel. */
  | { readonly kind: 'skipped' }
  /** Worth another attempt. */
  | {
      readonly kind: 'failed'
      readonly reason: string
      /** The other side has too much to do: it is left alone for so long, in ms. */
      readonly pause?: number
    }
  /** Another attempt would be of no use. */
  | { readonly kind: 'refused'; readonly reason: string }

/** A way on which alerts reach people. */
export interface Channel {
  /** Names its consumer group too. */
  readonly name: string
  /** Where it leads by the configuration of now; empty: the configuration does not have it. */
  destination(): string
  /** One attempt. Takes no longer than the lease of the schedule; whatever it throws is a failure. */
  deliver(alert: Alert): Promise<Outcome>
}

export const DELIVERED: Outcome = { kind: 'delivered' }
export const SKIPPED: Outcome = { kind: 'skipped' }
