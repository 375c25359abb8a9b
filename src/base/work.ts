import { UserError } from './errors'

/** How a person follows, and stops, a change that takes long. */
export interface Work {
  /** Aborted where the work is to end: at Ctrl-C, for example. What has begun is finished or undone first. */
  readonly signal?: AbortSignal
  /** Told after each step. @param done of `total`, in the units of the work: domains, tenants … */
  readonly progress?: (done: number, total: number) => void
}

/** The work ended before it was complete, since a person stopped it. */
export class InterruptedError extends UserError {
  /** @param message what was done, what was not, and how to go on. */
  constructor(message: string) {
    super(message, 130)
  }
}

/** Whether the work is to end after this step. */
export function isStopped({ signal }: Work): boolean {
  return signal?.aborted === true
}
