import { RefusedError } from '../base/errors'
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
import { identityFields, packConnector, parseFlags, type Claim } from '../registry/packing'
import { settle } from '../registry/settle'
import { indexTenant, tenantExists } from '../registry/tenant-registry'
import { Restrictions } from '../allowance/restriction'
import type { RecordFile } from '../registry-file/file'
import { Lanes, partsOf, type TenantPart } from '../registry-file/parts'
import { readWhole, type TenantAsRead } from '../registry-file/read-registry'
import type { ConnectorRecord, Fields, MoveRecord, TenantRecord } from '../registry-file/record'

const STATE = readScript(__dirname, 'restore_state')
const DOMAINS = readScript(__dirname, 'restore_domains')
const TENANT = readScript(__dirname, 'restore_tenant')

/** Tenants handled side by side. */
const TENANTS_AT_ONCE = 32
/** Connectors in one script call. */
const CONNECTORS_PIECE = 100
/** Texts that are kept of each kind; the others are only counted. */
const MOST_NAMED = 20
/** What the scripts renew, and no two registries share; and events that wait there, which are of the moment. */
const OF_THE_MOMENT: ReadonlySet<string> = new Set(['domains', 'state', 'events'])
/** A number that only grows: it may be higher than the file says. */
const CASES = 'cases'

/** Texts for people: the first of them, and how many there are. */
export class Findings {
  readonly named: string[] = []
  count = 0

  add(text: string): void {
    if (this.count++ < MOST_NAMED) this.named.push(text)
  }
}

/** What a pass over a file has found. */
export interface PassResult {
  readonly tenants: number
  readonly domains: number
  readonly connectors: number
  readonly restricted: number
  /** What is in the file, and is not so in Redis, or was not before it was written. */
  readonly differences: Findings
  /** What cannot be in Redis: another tenant or connector has it, or its tenant is not there. */
  readonly leftOut: Findings
}

/** What to do about what Redis does not have as the file says. */
export type Purpose =
  /** Nothing. */
  | 'compare'
  /** Nothing; but all that was counted has to be there, too: nothing else was before. */
  | 'verify'
  /** Write it. */
  | 'write'
  /** Write all of it without a look at what is there: that is nothing. */
  | 'fill'
  /** Only find out what would be left out. */
  | 'survey'

/**
 * Goes through a file once, and holds it against Redis. A restriction that is wider than that of the file, and usage
 * that is newer, are as they should be.
 *
 * @throws what ioredis throws, and {@link RecordFile.records}.
 */
export async function runPass(
  store: Store,
  file: RecordFile,
  purpose: Purpose,
): Promise<PassResult> {
  const pass = new Pass(store, purpose)
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
  private readonly moves = new Map<string, MoveRecord>()
  private readonly restrictions: Restrictions
  private readonly registry: ConnectorRegistry

  constructor(
    private readonly store: Store,
    private readonly purpose: Purpose,
  ) {
    this.restrictions = new Restrictions(store)
    this.registry = new ConnectorRegistry(store)
  }

  private get writes(): boolean {
    return this.purpose === 'write' || this.purpose === 'fill'
  }

  async run(file: RecordFile): Promise<void> {
    const lanes = new Lanes(TENANTS_AT_ONCE)
    let connectors: ConnectorRecord[] = []
    let tenant: TenantPass | undefined
    for await (const part of partsOf(file)) {
      if (part.type === 'move') this.moves.set(part.domain, part)
      else if (part.type === 'part') {
        if (part.first) tenant = new TenantPass(part.tenant)
        const own = tenant!
        await lanes.add(part.tenant.id, () => this.takePart(own, part))
      } else {
        connectors.push(part)
        if (connectors.length < CONNECTORS_PIECE) continue
        // A connector needs its tenant.
        await lanes.finish()
        await this.takeConnectors(connectors)
        connectors = []
      }
    }
    await lanes.finish()
    for (const move of this.moves.values()) await this.takeMove(move)
    await this.takeConnectors(connectors)
  }

  private async takePart(own: TenantPass, part: TenantPart): Promise<void> {
    const { tenant } = part
    if (part.first) {
      this.tenants++
      if (tenant.restriction) this.restricted++
      if (this.purpose !== 'survey') await this.takeState(own)
    }
    this.domains += part.domains.size
    for (const batch of batchesOf([...part.domains], BATCH)) await this.takeDomains(own, batch)
    if (part.last && this.purpose !== 'survey') await this.takeFields(own)
  }

  /** Its restriction and usage: before there is a tenant that could send without them. */
  private async takeState(own: TenantPass): Promise<void> {
    const { store } = this
    const { keys } = store
    const { id, restriction, usage } = own.wanted
    if (this.purpose !== 'fill') own.there = await readWhole(store, id, { usage: true }, 0)
    const { there } = own
    const restricted = restriction === undefined || isAsStrict(there?.restriction, restriction)
    const counted = usage === undefined || this.isCounted(there?.usage, usage)
    if (!restricted) this.differences.add(`the restriction of ${id}`)
    if (!counted) this.differences.add(`the usage of ${id}`)
    if (!this.writes) return
    if (!restricted || !counted) {
      await store.run(
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

  private isCounted(
    there: ReadonlyMap<string, Buffer> | undefined,
    wanted: ReadonlyMap<string, Buffer>,
  ): boolean {
    if (there === undefined) return false
    return this.purpose !== 'verify' || hasCounted(there, wanted)
  }

  private async takeDomains(own: TenantPass, domains: [string, string][]): Promise<void> {
    const { id } = own.wanted
    const { keys } = this.store
    const settled = domains.map(([domain]) => domain).filter((domain) => !this.moves.has(domain))
    const unclaimed = await this.findUnclaimed(id, domains)
    const lost = new Map((await this.claimAll(id, unclaimed)).map((each) => [each.domain, each]))
    for (const each of lost.values()) this.leftOut.add(`of ${id}: ${describeObstacle(each)}`)
    if (this.purpose === 'survey') return

    const there = await this.readPacked(id, domains)
    const kept = domains.filter(([domain]) => !lost.has(domain))
    const absent = kept.filter(([domain, packed]) => there.get(domain) !== packed)
    const unfit = new Set([...absent, ...unclaimed.map(({ domain }) => [domain])].map(([d]) => d))
    for (const domain of unfit) if (!lost.has(domain!)) this.differences.add(`${domain} of ${id}`)
    if (!this.writes || unfit.size === 0) return
    if (absent.length > 0) {
      await this.store.run(
        DOMAINS,
        [keys.tenant(id), keys.domains(id)],
        [randomToken(), ...absent.flat()],
      )
    }
    // What was there before may have been owned with other flags.
    if (this.purpose === 'write') await settle(this.store, id, settled)
  }

  /** Those that the tenant is to own, and does not yet, or with other flags. */
  private async findUnclaimed(id: string, domains: [string, string][]): Promise<Claim[]> {
    const owned = domains
      .map(([domain, packed]) => ({ domain, ...parseFlags(packed) }))
      .filter(({ domain, shared }) => !shared && !this.moves.has(domain))
    if (this.purpose === 'fill') return owned
    const names = owned.map(({ domain }) => domain)
    const claims = await readClaims(this.store, names)
    return owned.filter(({ subdomains }, at) => {
      const claim = claims[at]
      return claim?.tenant !== id || claim.subdomains !== subdomains
    })
  }

  private async readPacked(id: string, domains: [string, string][]): Promise<Map<string, string>> {
    if (this.purpose === 'fill') return new Map()
    const names = domains.map(([domain]) => domain)
    const values = await this.store.client.hmget(this.store.keys.domains(id), ...names)
    return new Map(names.flatMap((name, at) => (values[at] ? [[name, values[at]]] : [])))
  }

  private async claimAll(id: string, wanted: readonly Claim[]): Promise<Obstacle[]> {
    if (!this.writes) return findObstacles(this.store, id, wanted)
    const obstacles = await claim(this.store, id, wanted)
    if (obstacles.length === 0) return []
    // All or none: those that have nothing in their way, one by one.
    const lost: Obstacle[] = []
    for (const each of wanted) lost.push(...(await claim(this.store, id, [each])).slice(0, 1))
    return lost
  }

  /** The tenant itself, last: from then on it is there. */
  private async takeFields({ wanted, there }: TenantPass): Promise<void> {
    const { id } = wanted
    const { keys } = this.store
    const fields = lasting(wanted.fields)
    if (there && isSame(lasting(there.fields), fields)) return
    this.differences.add(`tenant ${id}`)
    if (!this.writes) return
    await indexTenant(this.store, id)
    await this.store.run(
      TENANT,
      [keys.tenant(id), keys.caseCount(id)],
      [randomToken(), ...[...fields].flat()],
    )
  }

  private async takeMove(move: MoveRecord): Promise<void> {
    const { domain, from, to, subdomains } = move
    const result = await restoreMove(this.store, move, subdomains, this.writes)
    const text = `the move of ${domain} from ${from} to ${to}`
    if (result === 'absent') this.differences.add(text)
    else if (result !== 'there') this.leftOut.add(`${text}: ${result}`)
  }

  private async takeConnectors(records: readonly ConnectorRecord[]): Promise<void> {
    if (records.length === 0) return
    const { client, keys } = this.store
    this.connectors += records.length
    const values = await client.hmget(keys.connectors, ...records.map(({ id }) => id))
    const absent: ConnectorRecord[] = []
    for (const [at, record] of records.entries()) {
      const there = values[at] ?? ''
      if (isAsBlocked(record, there)) continue
      const blocked = there === '' ? undefined : decodeConnector(record.id, there)
      if (blocked?.blocked && losesIdentity(blocked, decodeConnector(record.id, record.value))) {
        this.leftOut.add(connectorBlocked(blocked).message)
        continue
      }
      const tenant = record.id.slice(0, record.id.indexOf('/'))
      if (this.purpose !== 'survey' && !(await tenantExists(this.store, tenant))) {
        this.leftOut.add(`connector ${record.id}: there is no tenant ${tenant}`)
      } else absent.push(record)
    }
    if (this.writes) await this.writeConnectors(absent)
    else await this.compareConnectors(absent)
  }

  private async writeConnectors(records: readonly ConnectorRecord[]): Promise<void> {
    try {
      await this.registry.restore(records.map(({ id, value }) => decodeConnector(id, value)))
      for (const { id } of records) this.differences.add(`connector ${id}`)
    } catch (error) {
      if (!(error instanceof RefusedError)) throw error
      if (records.length === 1) this.leftOut.add(error.message)
      // All or none: one by one those that hold what nobody else has.
      else for (const each of records) await this.writeConnectors([each])
    }
  }

  private async compareConnectors(records: readonly ConnectorRecord[]): Promise<void> {
    for (const { id, value } of records) {
      const identities = identityFields(decodeConnector(id, value))
      const holders = await this.registry.holders(identities)
      const at = holders.findIndex((holder) => holder !== undefined && holder !== id)
      if (at === -1) this.differences.add(`connector ${id}`)
      else {
        this.leftOut.add(
          `connector ${id}: ${describeIdentity(identities[at]!)} belongs to connector ${holders[at]}`,
        )
      }
    }
  }
}

/** A tenant whose parts are being taken one after the other. */
class TenantPass {
  /** What Redis held of it when its first part was taken; `undefined`: not looked at. */
  there: TenantAsRead | undefined

  constructor(readonly wanted: TenantRecord) {}
}

function isAsStrict(there: Fields | undefined, wanted: Fields): boolean {
  const scope = there?.get('scope')
  return scope === 'all' || scope === wanted.get('scope')
}

/** Whether each ring is there as it was counted, or has moved on since. */
function hasCounted(there: ReadonlyMap<string, Buffer>, wanted: ReadonlyMap<string, Buffer>) {
  return [...wanted].every(([field, octets]) => {
    const now = there.get(field)
    if (!now || now.equals(octets) || now.length !== octets.length) return now !== undefined
    return newestOf(now) > newestOf(octets) || totalOf(now) > totalOf(octets)
  })
}

/** See `allowance/lua/include/ring.lua`. */
function newestOf(ring: Buffer): number {
  return ring.length < 12 ? 0 : ring.readDoubleLE(0)
}

function totalOf(ring: Buffer): number {
  return ring.length < 12 ? 0 : ring.readUInt32LE(8)
}

/** Whether it is as in the file, but that it may have been blocked since. */
function isAsBlocked({ id, value }: ConnectorRecord, there: string): boolean {
  if (value === there || there === '') return value === there
  const { blocked } = decodeConnector(id, there)
  const wanted = decodeConnector(id, value)
  return !wanted.blocked && packConnector({ ...wanted, blocked }) === there
}

function lasting(fields: Fields): Map<string, string> {
  return new Map([...fields].filter(([field]) => !OF_THE_MOMENT.has(field)))
}

function isSame(there: Fields, wanted: Fields): boolean {
  const names = new Set([...there.keys(), ...wanted.keys()])
  return [...names].every((field) =>
    field === CASES
      ? Number(there.get(field) ?? 0) >= Number(wanted.get(field) ?? 0)
      : there.get(field) === wanted.get(field),
  )
}
