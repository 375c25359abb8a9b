import type { Action } from '../kit/action'

/** All that can be changed in the console. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- each has an input of its own
export const ACTIONS: readonly Action<any>[] = []
