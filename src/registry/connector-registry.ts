import { retryConcurrent } from '../base/retry'
import { tenantctl } from '../base/command-line'
import { InputError, noSuchTenant, NotFoundError, RefusedError } from '../base/errors'
import type { Act } from '../allowance/restriction'
import { readScript } from '../store/script'
import type { Store } from '../store/store'
import { scanHash } from '../store/scan'
import { randomToken } from '../records/token'
import { describeIdentity, entryOf, restoredEntry, type ConnectorEntry } from './connector-audit'
import {
  decodeConnector,
  readConnectors,
  readConnectorsOf,
  readSomeConnectors,
} from './connector-reader'
import {
  assertConnectorName,
  canonicalIdentities,
  connectorId,
  normalizeIdentities,
  type RawIdentities,
} from '../mail/identities'
import { IDENTITY_KINDS, identityFields, packConnector, type UnstampedConnector } from './formats'
import { assertTenantExists, tenantExists } from './tenant-registry'
import type { Connector, ConnectorBlock, Identities } from '../mail/tenant'

const WRITE = readScript(__dirname, 'connectors_write')
const SCAN_PIECE = 1000

/** A connector to be written in place. */
export interface ConnectorPut {
  readonly name: string
  readonly identities: Identities
  /** `undefined`: unchanged; a new one is enabled. */
  readonly enabled?: boolean | undefined
}

/** A connector that Redis holds as it `was`, and held as it `is`; `undefined`: none. */
export interface LostConnector {
  /** `tenant/name` */
  readonly id: string
  readonly was: Connector | undefined
  readonly is: Connector | undefined
}

/** What {@link ConnectorRegistry.setIdentities} is to do. */
export interface IdentitiesChange {
  readonly add: RawIdentities
  readonly remove: RawIdentities
}

/** The new state of a connector: without `addedAt` it is new, `undefined` removes it. */
type Wanted = UnstampedConnector | undefined

/** Writes connectors: each change in one script, which also refuses an identity that another connector has. */
export class ConnectorRegistry {
  constructor(private readonly store: Store) {}

  /**
   * @throws {InputError} a bad name or identity, or none at all.
   * @throws {NotFoundError} no such tenant.
   * @throws {RefusedError} it exists with other identities, or another connector has one of them.
   */
  async add(
    tenant: string,
    name: string,
    input: RawIdentities,
    by: string,
  ): Promise<'added' | 'unchanged'> {
    assertConnectorName(name)
    const identities = normalizeIdentities(input)
    await assertTenantExists(this.store, tenant)
    const [id] = await this.change([connectorId(tenant, name)], (_id, there) => {
      if (there === undefined) return { tenant, name, ...identities, enabled: true, addedBy: by }
      if (sameIdentities(there, identities)) return there
      throw existsOtherwise(there)
    })
    if (id !== undefined) await this.assertTenantStays(tenant, [id])
    return id === undefined ? 'unchanged' : 'added'
  }

  /**
   * Adds connectors, or replaces their identities, `enabled` and `addedBy` in place, and removes others: all in one
   * script, or none.
   *
   * @param puts of one tenant; one may take an identity that another gives up.
   * @param removals names of connectors of that tenant; missing ones are ignored.
   * @throws {NotFoundError} no such tenant.
   * @throws {RefusedError} a connector outside of `puts` has one of the identities; or one that is blocked would lose
   *   one.
   */
  async put(
    tenant: string,
    puts: readonly ConnectorPut[],
    by: string,
    removals: readonly string[] = [],
  ): Promise<void> {
    const byId = new Map(puts.map((each) => [connectorId(tenant, each.name), each] as const))
    for (const { name } of puts) assertConnectorName(name)
    await assertTenantExists(this.store, tenant)
    const ids = [...byId.keys(), ...removals.map((name) => connectorId(tenant, name))]
    const changed = await this.change(ids, (id, there) => {
      const put = byId.get(id)
      if (put === undefined) return keepBlocked(there, undefined)
      const { name, identities, enabled } = put
      const wanted = { tenant, name, ...identities, addedBy: by }
      if (there === undefined) return { ...wanted, enabled: enabled ?? true }
      const { addedAt, changedAt } = there
      const now = { ...wanted, enabled: enabled ?? there.enabled, addedAt, changedAt }
      return keepBlocked(there, now)
    })
    await this.assertTenantStays(tenant, changed)
  }

  /**
   * Restores connectors with their times, in place of those of the same name: all in one script, or none. The caller makes
   * sure that the tenants exist. Blocked connectors stay blocked.
   *
   * @throws {RefusedError} another connector has one of the identities; or one that is blocked would lose one.
   */
  async restore(connectors: readonly Connector[]): Promise<void> {
    const byId = new Map(connectors.map((each) => [connectorId(each.tenant, each.name), each]))
    const ids = [...byId.keys()]
    await this.change(ids, (id, there) => keepBlocked(there, byId.get(id)), { restoring: true })
  }

  /**
   * Writes what connectors were before Redis went back in time, blocks and their ends too, where Redis still holds what it
   * went back to: all in one script, or none. The caller makes sure that the tenants exist.
   *
   * @throws {RefusedError} another connector has one of the identities.
   */
  async bringBack(connectors: readonly LostConnector[]): Promise<void> {
    const byId = new Map(connectors.map((each) => [each.id, each]))
    const decide = (id: string, there: Connector | undefined): Wanted => {
      const { was, is } = byId.get(id)!
      return isSame(there, was) ? is : there
    }
    await this.change([...byId.keys()], decide, { restoring: true })
  }

  /**
   * @throws {NotFoundError} there is no such connector.
   * @throws {RefusedError} it is blocked.
   */
  async remove(tenant: string, name: string): Promise<void> {
    await this.change([connectorId(tenant, name)], (_id, there) => {
      if (there === undefined) throw noSuchConnector(tenant, name)
      return keepBlocked(there, undefined)
    })
  }

  /**
   * Gives a connector more identities and takes others away, in one script: at no time is mail nobody's. What it has
   * already, or has not, changes nothing.
   *
   * @returns its identities before and after, which may be the same.
   * @throws {InputError} a bad identity, or one to add and to remove.
   * @throws {NotFoundError} there is no such connector.
   * @throws {RefusedError} another connector has one of them, none would be left, or it is blocked and would lose one.
   */
  async setIdentities(
    tenant: string,
    name: string,
    { add, remove }: IdentitiesChange,
  ): Promise<{ readonly was: Identities; readonly now: Identities }> {
    const [added, removed] = [canonicalIdentities(add), canonicalIdentities(remove)]
    assertDisjoint(added, removed)
    let result: { was: Identities; now: Identities } | undefined
    await this.change([connectorId(tenant, name)], (_id, there) => {
      if (there === undefined) throw noSuchConnector(tenant, name)
      const now = changedIdentities(there, added, removed)
      if (identityFields(now).length === 0) throw withoutIdentity(there)
      result = { was: there, now }
      return keepBlocked(there, { ...there, ...now })
    })
    return result!
  }

  /** A disabled connector still matches, and what it relays is refused. @throws {NotFoundError} */
  async setEnabled(
    tenant: string,
    name: string,
    enabled: boolean,
  ): Promise<'changed' | 'unchanged'> {
    const changed = await this.change([connectorId(tenant, name)], (_id, there) => {
      if (there === undefined) throw noSuchConnector(tenant, name)
      return { ...there, enabled }
    })
    return changed.length === 0 ? 'unchanged' : 'changed'
  }

  /**
   * Refuses all mail that a connector relays, until a person unblocks it. A blocked one keeps its first reason.
   *
   * @throws {NotFoundError}
   */
  async block(
    tenant: string,
    name: string,
    { by, reason }: Omit<ConnectorBlock, 'since'>,
  ): Promise<'blocked' | 'unchanged'> {
    const changed = await this.change([connectorId(tenant, name)], (_id, there) => {
      if (there === undefined) throw noSuchConnector(tenant, name)
      return there.blocked ? there : { ...there, blocked: { by, reason } }
    })
    return changed.length === 0 ? 'unchanged' : 'blocked'
  }

  /** Lets a blocked connector relay again. @throws {NotFoundError} */
  async unblock(
    tenant: string,
    name: string,
    { by, reason }: Act,
  ): Promise<'unblocked' | 'unchanged'> {
    const changed = await this.change(
      [connectorId(tenant, name)],
      (_id, there) => {
        if (there === undefined) throw noSuchConnector(tenant, name)
        return { ...there, blocked: undefined }
      },
      { why: `unblocked by ${by}: ${reason}` },
    )
    return changed.length === 0 ? 'unchanged' : 'unblocked'
  }

  async get(tenant: string, name: string): Promise<Connector | undefined> {
    const [found] = await readSomeConnectors(this.store, [connectorId(tenant, name)])
    return found?.[1]
  }

  /** The connectors of a tenant, or all, by id. @throws {NotFoundError} no such tenant. */
  async list(tenant?: string): Promise<Connector[]> {
    const found = new Map<string, Connector>()
    const put = (each: Connector): void => void found.set(connectorId(each.tenant, each.name), each)
    if (tenant === undefined) {
      await readConnectors(this.store, put)
    } else {
      await assertTenantExists(this.store, tenant)
      for (const each of await readConnectorsOf(this.store, tenant)) put(each)
    }
    return [...found.entries()]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([, connector]) => connector)
  }

  /** The names of the blocked connectors of a tenant, which need not exist. */
  async blockedOf(tenant: string): Promise<string[]> {
    const connectors = await readConnectorsOf(this.store, tenant)
    return connectors
      .filter(({ blocked }) => blocked)
      .map(({ name }) => name)
      .sort()
  }

  /** Which connector has each identity (a field as {@link identityFields} writes it), in the same order. */
  async holders(identities: readonly string[]): Promise<(string | undefined)[]> {
    if (identities.length === 0) return []
    const { client, keys } = this.store
    const holders = await client.hmget(keys.connectorIdentities, ...identities)
    const named = [...new Set(holders.filter((holder) => holder !== null))]
    const found = new Map(await readSomeConnectors(this.store, named))
    // As in the script: a removed connector holds nothing.
    return holders.map((holder) => (holder !== null && found.get(holder) ? holder : undefined))
  }

  /**
   * Removes all connectors of a tenant that does not exist.
   *
   * @returns how many there were.
   */
  async removeAll(tenant: string): Promise<number> {
    const ids = new Set<string>()
    await scanHash(this.store, this.store.keys.connectors, SCAN_PIECE, (id) => {
      if (id.startsWith(`${tenant}/`)) ids.add(id)
    })
    if (ids.size === 0 || (await tenantExists(this.store, tenant))) return 0
    return (await this.change([...ids], () => undefined)).length
  }

  /**
   * Changes connectors as `decide` says, all in one script; calls it again after a concurrent change.
   *
   * @param options `restoring`: keep the times, and write one entry into the audit trail for all; `why`: text added to the
   *   entry.
   * @returns the ids of the changed ones.
   */
  private async change(
    ids: readonly string[],
    decide: (id: string, there: Connector | undefined) => Wanted,
    { restoring = false, why = '' } = {},
  ): Promise<string[]> {
    const { keys, client } = this.store
    if (ids.length === 0) return []
    return retryConcurrent('connectors were', async () => {
      const values = await client.hmget(keys.connectors, ...ids)
      const planned = ids.flatMap((id, at) =>
        toChange(id, values[at] ?? '', decide, { restoring, why }),
      )
      if (planned.length === 0) return []
      const changes = planned.map(({ change }) => change)
      const entries = restoring ? [restoredEntry(ids)] : planned.map(({ entry }) => entry)
      const reply = (await this.store.run(
        WRITE,
        [keys.connectors, keys.connectorIdentities, keys.connectorsToken, keys.connectorsAudit],
        [randomToken(), JSON.stringify(changes), this.store.actor, JSON.stringify(entries)],
      )) as ['written'] | ['stale'] | ['taken', identity: string, holder: string, id: string]
      if (reply[0] === 'taken') throw identityTaken(reply[1], reply[2], reply[3])
      return reply[0] === 'written' ? changes.map(({ id }) => id) : undefined
    })
  }

  /** The tenant is in another slot: if it was removed meanwhile, its new connectors are removed, too. */
  private async assertTenantStays(tenant: string, ids: readonly string[]): Promise<void> {
    if (ids.length === 0 || (await tenantExists(this.store, tenant))) return
    await this.change(ids, () => undefined)
    throw noSuchTenant(tenant)
  }
}

function isSame(a: Connector | undefined, b: Connector | undefined): boolean {
  return (a && packConnector(a)) === (b && packConnector(b))
}

interface Change {
  readonly id: string
  readonly was: string
  readonly value: string
  readonly stamp: '' | 'added' | 'changed' | 'blocked'
  readonly frees: string[]
  readonly takes: string[]
}

function toChange(
  id: string,
  was: string,
  decide: (id: string, there: Connector | undefined) => Wanted,
  { restoring, why }: { readonly restoring: boolean; readonly why: string },
): { change: Change; entry: ConnectorEntry }[] {
  const there = was === '' ? undefined : decodeConnector(id, was)
  const decided = decide(id, there)
  const isChanged = !restoring && there && decided && !worksAlike(there, decided)
  const wanted = isChanged ? { ...decided, changedAt: undefined } : decided
  const value = wanted ? packConnector(wanted) : ''
  const had = there ? identityFields(there) : []
  const has = wanted ? identityFields(wanted) : []
  if (there ? wanted && value === packConnector(there) : !wanted) return []
  return [
    {
      change: {
        id,
        was,
        value,
        stamp: isChanged ? 'changed' : wanted === undefined ? '' : stampOf(wanted),
        frees: had.filter((each) => !has.includes(each)),
        takes: has,
      },
      entry: entryOf(id, there, wanted, why),
    },
  ]
}

/** Whether both let the same sessions relay, apart from a block. */
function worksAlike(
  a: Identities & { readonly enabled: boolean },
  b: Identities & { readonly enabled: boolean },
): boolean {
  return a.enabled === b.enabled && sameIdentities(a, b)
}

/** A new one is not blocked, so at most one time is missing. */
function stampOf({ addedAt, blocked }: UnstampedConnector): Change['stamp'] {
  if (addedAt === undefined) return 'added'
  return blocked && blocked.since === undefined ? 'blocked' : ''
}

/**
 * The new state of a connector, with its block: only unblocking it ends that.
 *
 * @throws {RefusedError} it is blocked, and would be removed or lose an identity, which another could take.
 */
function keepBlocked(there: Connector | undefined, wanted: Wanted): Wanted {
  if (!there?.blocked) return wanted
  if (wanted === undefined || losesIdentity(there, wanted)) throw connectorBlocked(there)
  return { ...wanted, blocked: wanted.blocked ?? there.blocked }
}

/** Whether a connector would lose an identity; both as `normalizeIdentities` returns them. */
export function losesIdentity(now: Identities, wanted: Identities): boolean {
  const kept = new Set(identityFields(wanted))
  return identityFields(now).some((each) => !kept.has(each))
}

/** The error for a blocked connector that would be removed or lose an identity. */
export function connectorBlocked({
  tenant,
  name,
}: Pick<Connector, 'tenant' | 'name'>): RefusedError {
  const lift = tenantctl('connector', 'unblock', tenant, name)
  return new RefusedError(
    `connector ${connectorId(tenant, name)} is blocked, and keeps its identities: lift that first (${lift} --reason …)`,
  )
}

/** @throws {InputError} */
function assertDisjoint(added: Identities, removed: Identities): void {
  const taken = new Set(identityFields(removed))
  const both = identityFields(added).find((each) => taken.has(each))
  if (both === undefined) return
  throw new InputError(`${describeIdentity(both)} is to be added and to be removed: give one`)
}

/** All as `normalizeIdentities` returns them. */
function changedIdentities(now: Identities, added: Identities, removed: Identities): Identities {
  const lists = IDENTITY_KINDS.map(([kind]) => {
    const gone = new Set(removed[kind])
    const list = new Set([...now[kind], ...added[kind]].filter((each) => !gone.has(each)))
    return [kind, [...list].sort()]
  })
  return Object.fromEntries(lists) as Record<keyof Identities, string[]>
}

/** Whether both recognise the same sessions; both as `normalizeIdentities` returns them. */
export function sameIdentities(a: Identities, b: Identities): boolean {
  return identityFields(a).join('\n') === identityFields(b).join('\n')
}

/** The error for an identity that another connector has. */
export function identityTaken(identity: string, holder: string, id: string): RefusedError {
  return new RefusedError(
    `${describeIdentity(identity)} of connector ${id} belongs to connector ${holder}: a session must match one connector only, so remove it there first (${tenantctl('connector', 'set', ...holder.split('/'), ...removalOf(identity))})`,
  )
}

/** The option of `connector set` that removes an identity. */
function removalOf(identity: string): string[] {
  const colon = identity.indexOf(':')
  const kind = identity.slice(0, colon).replace('sha256', 'cert-sha256')
  return [`--remove-${kind}`, identity.slice(colon + 1)]
}

function existsOtherwise(there: Connector): RefusedError {
  const { tenant, name } = there
  const has = identityFields(there).map(describeIdentity).join(', ')
  return new RefusedError(
    `connector ${connectorId(tenant, name)} exists with ${has}: to change it, use ${tenantctl('connector', 'set', tenant, name)}`,
  )
}

function withoutIdentity({ tenant, name }: Connector): RefusedError {
  return new RefusedError(
    `connector ${connectorId(tenant, name)} would have no identity left: to remove it, use ${tenantctl('connector', 'remove', tenant, name)}`,
  )
}

/** The error for a connector that is not registered. */
export function noSuchConnector(tenant: string, name: string): NotFoundError {
  return new NotFoundError(
    `there is no connector "${tenant}/${name}"; tenantctl connector list shows all`,
  )
}
