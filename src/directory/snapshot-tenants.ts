import { performance } from 'node:perf_hooks'
import { readTenantRecords } from '../registry-file/read-registry'
import { parseObject } from '../registry-file/format'
import {
  formatRecord,
  toRecord,
  type RegistryRecord,
  type TenantRecord,
} from '../registry-file/record'
import { tenantMark } from '../registry/lost-changes'
import { compare, readStanding } from '../allowance/standing'
import type { TenantRecords } from './later-state'
import { batchesOf } from '../base/lists'
import { scanSet } from '../store/scan'
import type { Store } from '../store/store'
import type { Directory } from './directory'

/** What the snapshot file holds at most. */
export interface Bounds {
  readonly tenants: number
  readonly domains: number
}

const BOUNDS: Bounds = { tenants: 10_000, domains: 200_000 }
/** Tenants read at the same time. */
const AT_ONCE = 32
/** A list of more domains is read again at most once in this time, even if it keeps changing. */
const LONG = 1000
/** In ms. */
const LONG_INTERVAL = 60_000

/** They tell whether a tenant has changed. */
interface Tokens {
  readonly domainsToken: string | null | undefined
  readonly stateToken: string | null | undefined
}

/** Tokens and size of a tenant, which are cheap to read. */
interface Measure extends Tokens {
  readonly domains: number
}

/** The lines of a tenant, and its tokens when they were made. */
interface Kept extends Tokens {
  readonly lines: readonly string[]
  /** Monotonic ms. */
  readonly readAt: number
}

/** The tenants in the snapshot file, as lines; only changed ones are read again. */
export class SnapshotTenants {
  /** When a changed tenant whose old lines were kept is to be read again; monotonic ms. */
  staleAt = Infinity
  private kept: ReadonlyMap<string, Kept> = new Map()

  constructor(
    private readonly store: Store,
    private readonly directory: Directory,
    private readonly bounds = BOUNDS,
  ) {}

  /** Takes over tenants of the present file, which hold changes that Redis has lost. */
  keep(tenants: Iterable<TenantRecords>): void {
    const readAt = performance.now()
    this.kept = new Map(Array.from(tenants, (records) => [records[0].id, toKept(records, readAt)]))
  }

  /**
   * Restricted tenants first, then those with changes that Redis has lost, then the most recently used ones, as many as there is room for.
   *
   * @returns the lines of each.
   * @throws if Redis does not answer.
   */
  async choose(): Promise<(readonly string[])[]> {
    const chosen = new Map<string, Kept>()
    let room = this.bounds.domains
    this.staleAt = Infinity
    for (const ids of batchesOf(await this.candidates(), AT_ONCE)) {
      const measures = await Promise.all(ids.map((id) => this.measure(id)))
      const fitting = ids
        .map((id, at) => [id, measures[at]!] as const)
        .filter(([, { domains }]) => {
          const fits = domains <= room
          if (fits) room -= domains
          return fits
        })
      const found = await Promise.all(fitting.map(([id, now]) => this.keptOrRead(id, now)))
      fitting.forEach(([id], at) => found[at] && chosen.set(id, found[at]))
    }
    this.kept = chosen
    return [...chosen.values()].map(({ lines }) => lines)
  }

  private async candidates(): Promise<string[]> {
    const ids = new Set<string>()
    for await (const batch of scanSet(this.store, this.store.keys.restricted)) {
      for (const id of batch) ids.add(id)
    }
    for (const id of this.kept.keys()) if (this.directory.hasLost(id)) ids.add(id)
    for (const id of this.directory.knownTenants()) ids.add(id)
    return [...ids].slice(0, this.bounds.tenants)
  }

  private async measure(id: string): Promise<Measure> {
    const known = this.directory.look(id)
    if (known) return { ...tokensOf(known), domains: known.domains.size }
    const { client, keys } = this.store
    const [domainsToken, stateToken] = await client.hmget(keys.tenant(id), 'domains', 'state')
    return { domainsToken, stateToken, domains: await client.hlen(keys.domains(id)) }
  }

  private async keptOrRead(id: string, now: Measure): Promise<Kept | undefined> {
    const kept = this.kept.get(id)
    if (kept === undefined) return this.read(id)
    if (this.directory.hasLost(id)) return this.restrictedAsNow(id, kept)
    if (kept.stateToken !== now.stateToken) return this.readLater(id, kept)
    if (kept.domainsToken === now.domainsToken) return kept
    const staleAt = kept.readAt + LONG_INTERVAL
    if (now.domains <= LONG || performance.now() > staleAt) return this.readLater(id, kept)
    this.staleAt = Math.min(this.staleAt, staleAt)
    return kept
  }

  /** Redis may have gone back in time, and the directory not know that yet: a later state is not replaced by an earlier one. */
  private async readLater(id: string, kept: Kept): Promise<Kept | undefined> {
    const read = await this.read(id)
    const known = tenantMark(kept)
    const isLost = read && this.directory.registry.hasLost(known, tenantMark(read))
    return isLost ? kept : read
  }

  /** The lines of a tenant of which Redis has lost changes. Its restriction is not lost: it is put back. */
  private async restrictedAsNow(id: string, kept: Kept): Promise<Kept> {
    const read = await readStanding(this.store, id)
    if (!read) return kept
    const [first, ...domains] = kept.lines
    const record = toRecord(parseObject(first!, id), id) as TenantRecord
    const created = record.fields.get('createdAt')!
    const was = record.restriction && Object.fromEntries(record.restriction)
    const verdict = compare({ created, restriction: was, lift: undefined }, read)
    if (verdict !== 'accept') return kept
    const restriction = read.restriction && new Map(Object.entries(read.restriction))
    return { ...kept, lines: [formatRecord({ ...record, restriction }), ...domains] }
  }

  /** `undefined`: it is gone. */
  private async read(id: string): Promise<Kept | undefined> {
    const readAt = performance.now()
    let tenant: TenantRecord | undefined
    const domains: RegistryRecord[] = []
    for await (const record of readTenantRecords(this.store, id, { usage: false })) {
      if (record.type === 'tenant') tenant = record
      else domains.push(record)
    }
    return tenant && toKept([tenant, ...domains], readAt)
  }
}

function toKept(records: TenantRecords, readAt: number): Kept {
  const [{ fields }] = records
  const tokens = { domainsToken: fields.get('domains'), stateToken: fields.get('state') }
  return { ...tokens, lines: records.map(formatRecord), readAt }
}

function tokensOf({ domainsToken, stateToken }: Tokens): Tokens {
  return { domainsToken, stateToken }
}
