import type { Action } from '../kit/action'
import { CHECK, CLOSE, NOTE, RELEASE, TAKE } from './cases'
import { PAUSE, RESUME } from './enforcement'
import { FORGET_HOST } from './nodes'
import { DROP, SHOW_HEADERS } from './queue'
import { ASK_DNS, REGISTER } from './register'
import { BLOCK, UNBLOCK } from './restriction'

/** All that can be changed in the console. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- each has an input of its own
export const ACTIONS: readonly Action<any>[] = [
  ...[BLOCK, UNBLOCK],
  ...[TAKE, RELEASE, NOTE, CHECK, CLOSE],
  ...[DROP, SHOW_HEADERS],
  ...[REGISTER, ASK_DNS],
  ...[PAUSE, RESUME, FORGET_HOST],
]
