import { forgetHost } from '../nodes/forget'
import type { Role } from '../records/role'
import { tenantsAtLimit } from './at-limit'
import { block } from './block'
import { blockConnector, unblockConnector } from './connector-block'
import {
  addConnector,
  enableConnector,
  removeConnector,
  setIdentities,
  someConnectors,
  stoppedConnectors,
} from './connectors'
import { firstDomains, lossOfDomains, removeDomains, setSubdomains } from './domains'
import { pause, resume } from './enforcement'
import { find } from './find'
import { findDomain, findOwner } from './find-domain'
import { ownDomains, readGoingOn, readIncident } from './incident'
import { readIncidentQueue } from './incident-queue'
import { lossOf, lossOfTenant } from './loss'
import { readWentBack } from './lost-changes'
import { managingFile } from './managed'
import { askQueues, dropFromQueues } from './queue-orders'
import { readRefusedNow } from './refused-now'
import { rankByDns, registerDomains, registerOwnDomains } from './register-domains'
import { removeTenant } from './remove-tenant'
import { noteExport, readReports } from './report'
import { setLimitsFor, setTenant } from './set-tenant'
import { someTenants } from './some-tenants'
import { contactWarnings } from './tenant-settings'
import { addTenant, assertKnown, existingTenant, summarize } from './tenants'
import { unblock } from './unblock'
import { checkCase, closeCase, noteCase, releaseCase, takeCase } from './work-on-case'

/** A function of this room that a person runs. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- operations have different parameters
export type Operation = (...args: any[]) => Promise<unknown>

/** The least role for each operation of the console. What is not here cannot be done there. */
const LEAST: ReadonlyMap<Operation, Role> = new Map<Operation, Role>([
  [existingTenant, 'viewer'],
  [tenantsAtLimit, 'viewer'],
  [someConnectors, 'viewer'],
  [stoppedConnectors, 'viewer'],
  [firstDomains, 'viewer'],
  [lossOfDomains, 'viewer'],
  [findOwner, 'viewer'],
  [lossOf, 'viewer'],
  [lossOfTenant, 'viewer'],
  [readWentBack, 'viewer'],
  [managingFile, 'viewer'],
  [readRefusedNow, 'viewer'],
  [someTenants, 'viewer'],
  [contactWarnings, 'viewer'],
  [assertKnown, 'viewer'],
  [summarize, 'viewer'],
  [find, 'viewer'],
  [findDomain, 'viewer'],
  [readIncident, 'viewer'],
  [readGoingOn, 'viewer'],
  [ownDomains, 'viewer'],
  [readReports, 'viewer'],
  [noteExport, 'operator'],
  [readIncidentQueue, 'operator'],
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
