import { indexProbation } from '../allowance/probation-index'
import { RefusedError } from '../base/errors'
import { connectorId } from '../mail/identities'
import type { Connector } from '../mail/tenant'
import { batchesOf } from '../base/lists'
import { readScript } from '../store/script'
import type { Store } from '../store/store'
import { randomToken } from '../records/token'
import { claim, findObstacles } from '../registry/claims'
import { describeIdentity } from '../registry/connector-audit'
import { connectorBlocked, ConnectorRegistry, losesIdentity } from '../registry/connector-registry'
import { decodeConnector } from '../registry/connector-reader'
import { restoreMove } from '../registry/domain-move'
import { describeObstacle, BATCH, readClaims, type Obstacle } from '../registry/owners'
import { identityFields, packConnector, parseFlags, type Claim } from '../registry/formats'
import { reconcileClaims } from '../registry/reconcile'
import { indexTenant, tenantExists } from '../registry/tenant-registry'
import { Restrictions } from '../allowance/restriction'
import { Lanes, partsOf, type Records, type TenantPart } from '../registry-file/parts'
import { readWhole, type TenantAsRead } from '../registry-file/read-registry'
import type { ConnectorRecord, Fields, MoveRecord, TenantRecord } from '../registry-file/record'

const STATE = readScript(__dirname, 'restore_state')
const DOMAINS = readScript(__dirname, 'restore_domains')
const TENANT = readScript(__dirname, 'restore_tenant')

/** Tenants handled concurrently. */
const TENANTS_AT_ONCE = 32
/** Connectors in one script call. */
const CONNECTORS_BATCH = 100
/** Texts kept of each kind; further ones are only counted. */
const MOST_NAMED = 20
/** Tokens, which scripts renew, and events that wait for the stream: a restore ignores both. */
const TRANSIENT: ReadonlySet<string> = new Set(['domains', 'state', 'events'])
/** Only grows, so Redis may have a higher number than the file. */
const CASES = 'cases'

/** Texts for people: the first of them, and their number. */
export class Findings {
  readonly named: string[] = []
  count = 0

  add(text: string): void {
    if (this.count++ < MOST_NAMED) this.named.push(text)
  }
}

/** The result of a pass over a file. */
export interface PassResult {
  readonly tenants: number
  readonly domains: number
  readonly connectors: number
  readonly restricted: number
  /** Records of the file that Redis did not have as the file says. */
  readonly differences: Findings
  /** Records that cannot be written: another tenant or connector has them, or their tenant does not exist. */
  readonly leftOut: Findings
  /** Those of them that belong to another tenant or connector. */
  readonly conflicts: Findings
}

/**
 * Reads a file once and compares it with Redis. A wider restriction and newer usage in Redis are no differences.
 *
 * @param purpose `write`: also writes the differences to Redis.
 * @throws what ioredis throws, and what the records of the file throw.
 */
export async function runPass(
  store: Store,
  file: Records,
  purpose: 'compare' | 'write',
): Promise<PassResult> {
  const pass = new Pass(store, purpose === 'write')
  await pass.run(file)
  return pass
}

class Pass implements PassResult {
  tenants = 0
  domains = 0
  connectors = 0
  restricted = 0
  readonly differences = new Findings()
  readonly leftOut = new Findings()
  readonly conflicts = new Findings()
  private readonly moves = new Map<string, MoveRecord>()
  private readonly restrictions: Restrictions
  private readonly registry: ConnectorRegistry

  constructor(
    private readonly store: Store,
    private readonly writes: boolean,
  ) {
    this.restrictions = new Restrictions(store)
    this.registry = new ConnectorRegistry(store)
  }

  async run(file: Records): Promise<void> {
    const lanes = new Lanes(TENANTS_AT_ONCE)
    try {
      await this.handleAll(file, lanes)
    } catch (error) {
      // What has begun is finished, also where a person stops it.
      await lanes.finish()
      throw error
    }
  }

  private async handleAll(file: Records, lanes: Lanes): Promise<void> {
    let connectors: ConnectorRecord[] = []
    for await (const part of partsOf(file)) {
      if (part.type === 'move') this.moves.set(part.domain, part)
      else if (part.type === 'part') {
        await lanes.add(part.tenant.id, () => this.handlePart(part))
      } else {
        connectors.push(part)
        if (connectors.length < CONNECTORS_BATCH) continue
        // A connector is written after its tenant.
        await lanes.finish()
        await this.handleConnectors(connectors)
        connectors = []
      }
    }
    await lanes.finish()
    for (const move of this.moves.values()) await this.handleMove(move)
    await this.handleConnectors(connectors)
  }

  private async handlePart({ tenant, domains, first, last }: TenantPart): Promise<void> {
    const { id } = tenant
    if (first) {
      this.tenants++
      if (tenant.restriction) this.restricted++
    }
    this.domains += domains.size
    const current = await readWhole(this.store, id, { usage: true }, 0)
    // Restriction and usage first, the tenant last: it must not exist, and send, without them.
    if (first) await this.handleState(tenant, current)
    for (const batch of batchesOf([...domains], BATCH)) await this.handleDomains(id, batch)
    if (last) await this.handleFields(tenant, current)
  }

  private async handleState(
    { id, restriction, usage }: TenantRecord,
    current: TenantAsRead,
  ): Promise<void> {
    const { store } = this
    const { keys } = store
    const isRestricted = restriction === undefined || isAsStrict(current.restriction, restriction)
    const isCounted = usage === undefined || current.usage !== undefined
    if (!isRestricted) this.differences.add(`the restriction of ${id}`)
    if (!isCounted) this.differences.add(`the usage of ${id}`)
    if (!this.writes) return
    if (!isRestricted || !isCounted) {
      await store.runForOctets(
        STATE,
        [keys.tenant(id), keys.restriction(id), keys.usage(id)],
        [
          randomToken(),
          restriction?.size ?? 0,
          ...[...(restriction ?? [])].flat(),
          ...[...(usage ?? [])].flat(),
        ],
      )
    }
    if (restriction) await this.restrictions.index(id)
  }

  private async handleDomains(id: string, domains: [string, string][]): Promise<void> {
    const { client, keys } = this.store
    const names = domains.map(([domain]) => domain)
    const unclaimed = await this.findUnclaimed(id, domains)
    const lost = new Map((await this.claimAll(id, unclaimed)).map((each) => [each.domain, each]))
    for (const each of lost.values()) this.conflict(`of ${id}: ${describeObstacle(each)}`)

    const values = await client.hmget(keys.domains(id), ...names)
    const absent = domains.filter(([domain, packed], at) => {
      return !lost.has(domain) && values[at] !== packed
    })
    const different = new Set([...absent.map(([d]) => d), ...unclaimed.map(({ domain }) => domain)])
    for (const domain of different)
      if (!lost.has(domain)) this.differences.add(`${domain} of ${id}`)
    if (!this.writes || different.size === 0) return
    if (absent.length > 0) {
      await this.store.run(
        DOMAINS,
        [keys.tenant(id), keys.domains(id)],
        [randomToken(), ...absent.flat()],
      )
    }
    // Some claims may have other flags.
    await reconcileClaims(
      this.store,
      id,
      names.filter((domain) => !this.moves.has(domain)),
    )
  }

  /** The domains that the tenant does not own yet as the file says. */
  private async findUnclaimed(id: string, domains: [string, string][]): Promise<Claim[]> {
    const owned = domains
      .map(([domain, packed]) => ({ domain, ...parseFlags(packed) }))
      .filter(({ domain, shared }) => !shared && !this.moves.has(domain))
    const names = owned.map(({ domain }) => domain)
    const claims = await readClaims(this.store, names)
    return owned.filter(({ subdomains }, at) => {
      const claim = claims[at]
      return claim?.tenant !== id || claim.subdomains !== subdomains
    })
  }

  private async claimAll(id: string, wanted: readonly Claim[]): Promise<Obstacle[]> {
    if (!this.writes) return findObstacles(this.store, id, wanted)
    const obstacles = await claim(this.store, id, wanted)
    if (obstacles.length === 0) return []
    // claim() takes all or none: one by one, those without an obstacle pass.
    const lost: Obstacle[] = []
    for (const each of wanted) lost.push(...(await claim(this.store, id, [each])).slice(0, 1))
    return lost
  }

  private async handleFields({ id, fields: wanted }: TenantRecord, current: TenantAsRead) {
    const { keys } = this.store
    const fields = lasting(wanted)
    // In a Cluster the index may be lost without its tenants.
    if (this.writes) await indexTenant(this.store, id)
    if (isSame(lasting(current.fields), fields)) return
    this.differences.add(`tenant ${id}`)
    if (!this.writes) return
    await this.store.run(
      TENANT,
      [keys.tenant(id), keys.caseCount(id)],
      [randomToken(), ...[...fields].flat()],
    )
    if (fields.has('probation')) await indexProbation(this.store, id)
  }

  private async handleMove(move: MoveRecord): Promise<void> {
    const { domain, from, to, subdomains } = move
    const result = await restoreMove(this.store, move, subdomains, this.writes)
    const text = `the move of ${domain} from ${from} to ${to}`
    if (result === 'absent') this.differences.add(text)
    else if (result !== 'there') this.conflict(`${text}: ${result}`)
  }

  private async handleConnectors(records: readonly ConnectorRecord[]): Promise<void> {
    if (records.length === 0) return
    const { client, keys } = this.store
    this.connectors += records.length
    const values = await client.hmget(keys.connectors, ...records.map(({ id }) => id))
    const absent: ConnectorRecord[] = []
    for (const [at, record] of records.entries()) {
      const { id, value } = record
      const current = values[at] ?? ''
      if (isAsBlocked(record, current)) continue
      const now = current === '' ? undefined : decodeConnector(id, current)
      const wanted = decodeConnector(id, value)
      if (now?.blocked && losesIdentity(now, wanted)) {
        this.conflict(connectorBlocked(now).message)
      } else if (this.writes || !(await this.isTaken(wanted))) {
        if (await tenantExists(this.store, wanted.tenant)) absent.push(record)
        else this.leftOut.add(`connector ${id}: there is no tenant ${wanted.tenant}`)
      }
    }
    if (this.writes) await this.writeConnectors(absent)
    else for (const { id } of absent) this.differences.add(`connector ${id}`)
  }

  private async writeConnectors(records: readonly ConnectorRecord[]): Promise<void> {
    try {
      await this.registry.restore(records.map(({ id, value }) => decodeConnector(id, value)))
      for (const { id } of records) this.differences.add(`connector ${id}`)
    } catch (error) {
      if (!(error instanceof RefusedError)) throw error
      if (records.length === 1) this.conflict(error.message)
      // restore() writes all or none: one by one, those without a conflict pass.
      else for (const each of records) await this.writeConnectors([each])
    }
  }

  private async isTaken(connector: Connector): Promise<boolean> {
    const id = connectorId(connector.tenant, connector.name)
    const identities = identityFields(connector)
    const holders = await this.registry.holders(identities)
    const at = holders.findIndex((holder) => holder !== undefined && holder !== id)
    if (at === -1) return false
    const identity = describeIdentity(identities[at]!)
    this.conflict(`connector ${id}: ${identity} belongs to connector ${holders[at]}`)
    return true
  }

  private conflict(text: string): void {
    this.conflicts.add(text)
    this.leftOut.add(text)
  }
}

function isAsStrict(current: Fields | undefined, wanted: Fields): boolean {
  const scope = current?.get('scope')
  return scope === 'all' || scope === wanted.get('scope')
}

/** Whether Redis has the connector as the file says, except that it may have been blocked since. */
function isAsBlocked({ id, value }: ConnectorRecord, current: string): boolean {
  if (value === current || current === '') return value === current
  const { blocked } = decodeConnector(id, current)
  const wanted = decodeConnector(id, value)
  return !wanted.blocked && packConnector({ ...wanted, blocked }) === current
}

function lasting(fields: Fields): Map<string, string> {
  return new Map([...fields].filter(([field]) => !TRANSIENT.has(field)))
}

function isSame(current: Fields, wanted: Fields): boolean {
  const names = new Set([...current.keys(), ...wanted.keys()])
  return [...names].every((field) =>
    field === CASES
      ? Number(current.get(field) ?? 0) >= Number(wanted.get(field) ?? 0)
      : current.get(field) === wanted.get(field),
  )
}
