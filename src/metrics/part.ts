import type { Samples } from './text'

/** Reads some metrics out of Redis. */
export interface Part {
  /** @throws where Redis gave no answer, or does not allow it. */
  read(): Promise<Samples>
}
