/** Something that one process of all Harakas does now and then: the leader. */
export interface Duty {
  /** Precedes its errors. */
  readonly name: string
  /** How long after the end of one run the next one begins, in ms. */
  readonly every: number
  /**
   * Another process may run it at the same time: a leader that hung, or was cut off, goes on after its lock has expired.
   * An error is reported, and the duty runs again when it is due.
   */
  run(): Promise<unknown>
}
