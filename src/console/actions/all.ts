import type { Action } from '../kit/action'
import { CHECK, CLOSE, NOTE, RELEASE, TAKE } from './cases'
import { PAUSE, RESUME } from './enforcement'
import { FORGET_HOST } from './nodes'
import {
  ADD_CONNECTOR,
  BLOCK_CONNECTOR,
  DISABLE_CONNECTOR,
  ENABLE_CONNECTOR,
  REMOVE_CONNECTOR,
  SET_IDENTITIES,
  UNBLOCK_CONNECTOR,
} from './connectors'
import { ADD_DOMAINS, REMOVE_DOMAINS, SET_SUBDOMAINS } from './domains'
import { DROP, SHOW_HEADERS } from './queue'
import { ASK_DNS, REGISTER } from './register'
import { BLOCK, UNBLOCK } from './restriction'
import { SET_LIMITS_FOR, SET_TENANT } from './settings'
import { ADD_TENANT, REMOVE_TENANT } from './tenants'

/** All that can be changed in the console. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- each has an input of its own
export const ACTIONS: readonly Action<any>[] = [
  ...[BLOCK, UNBLOCK],
  ...[TAKE, RELEASE, NOTE, CHECK, CLOSE],
  ...[DROP, SHOW_HEADERS],
  ...[REGISTER, ASK_DNS],
  ...[PAUSE, RESUME, FORGET_HOST],
  ...[SET_LIMITS_FOR, SET_TENANT, ADD_TENANT, REMOVE_TENANT],
  ...[ADD_DOMAINS, SET_SUBDOMAINS, REMOVE_DOMAINS],
  ...[BLOCK_CONNECTOR, UNBLOCK_CONNECTOR, ENABLE_CONNECTOR, DISABLE_CONNECTOR],
  ...[ADD_CONNECTOR, SET_IDENTITIES, REMOVE_CONNECTOR],
]
