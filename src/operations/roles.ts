import { forgetHost } from '../nodes/forget'
import type { Role } from '../records/role'
import { block } from './block'
import { blockConnector, unblockConnector } from './connector-block'
import { pause, resume } from './enforcement'
import { addConnector, enableConnector, removeConnector, setIdentities } from './connectors'
import { removeDomains, setSubdomains } from './domains'
import { find } from './find'
import { findDomain } from './find-domain'
import { readGoingOn, readIncident } from './incident'
import { askQueues, dropFromQueues } from './queue-orders'
import { rankByDns, registerDomains, registerOwnDomains } from './register-domains'
import { removeTenant } from './remove-tenant'
import { noteExport, readReports } from './report'
import { setLimitsFor, setTenant } from './set-tenant'
import { addTenant, existingTenant } from './tenants'
import { unblock } from './unblock'
import { checkCase, closeCase, noteCase, releaseCase, takeCase } from './work-on-case'

/** A function of this room that a person runs. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- operations have different parameters
export type Operation = (...args: any[]) => Promise<unknown>

/** The least role for each operation of the console. What is not here cannot be done there. */
const LEAST: ReadonlyMap<Operation, Role> = new Map<Operation, Role>([
  [existingTenant, 'viewer'],
  [find, 'viewer'],
  [findDomain, 'viewer'],
  [readIncident, 'viewer'],
  [readGoingOn, 'viewer'],
  [readReports, 'viewer'],
  [noteExport, 'operator'],
  [askQueues, 'operator'],
  [dropFromQueues, 'operator'],
  [block, 'operator'],
  [unblock, 'operator'],
  [blockConnector, 'operator'],
  [unblockConnector, 'operator'],
  [takeCase, 'operator'],
  [releaseCase, 'operator'],
  [noteCase, 'operator'],
  [checkCase, 'operator'],
  [closeCase, 'operator'],
  [setLimitsFor, 'operator'],
  [setTenant, 'admin'],
  [rankByDns, 'operator'],
  [registerOwnDomains, 'operator'],
  [registerDomains, 'admin'],
  [pause, 'admin'],
  [resume, 'admin'],
  [forgetHost, 'admin'],
  [setSubdomains, 'admin'],
  [removeDomains, 'admin'],
  [addConnector, 'admin'],
  [setIdentities, 'admin'],
  [enableConnector, 'admin'],
  [removeConnector, 'admin'],
  [addTenant, 'admin'],
  [removeTenant, 'admin'],
])

/** `undefined`: it cannot be done in the console. */
export function leastRole(operation: Operation): Role | undefined {
  return LEAST.get(operation)
}
