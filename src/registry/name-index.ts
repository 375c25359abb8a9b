import { mapLimited } from '../base/limiter'
import { TextIndex } from '../base/text-index'
import { connectorId } from '../mail/identities'
import { scanHash, scanSet } from '../store/scan'
import type { Store } from '../store/store'
import { readConnectors } from './connector-reader'
import { IDENTITY_KINDS } from './formats'

/** Lists of domains read concurrently, and entries of one that are read at a time. */
const PLACES = 100
const BATCH = 1000
/** Of the time in which a search is asked for, one part in so many is spent on reading, and a second passes in any case. */
const SHARE = 60
const SHORTEST = 1000

/**
 * All names of the registry as text, for searches by a part of them: ids and names of tenants, their accepted domains,
 * connectors with their identities; in lower case. It is read when it is first asked for, and again when it has aged: what it
 * finds may have been removed since, and what was added may be missing. About 40 bytes of memory a name.
 */
export class NameIndex {
  /** By id. */
  readonly tenants = new TextIndex()
  /** By tenant. */
  readonly domains = new TextIndex()
  /** By `tenant/name`. */
  readonly connectors = new TextIndex()
  /** All of it has been read at least once. */
  isComplete = false
  private reading: Promise<void> | undefined
  /** When it is next read if it is asked for, in monotonic ms. */
  private due = -Infinity

  constructor(private readonly store: Store) {}

  /**
   * Reads all names again if they have aged. Callers share one pass.
   *
   * @throws what ioredis throws.
   */
  async renew(): Promise<void> {
    if (!this.reading && performance.now() < this.due) return
    this.reading ??= this.read().finally(() => (this.reading = undefined))
    await this.reading
  }

  private async read(): Promise<void> {
    const { client, keys } = this.store
    const begun = performance.now()
    const tenants = new Set<string>()
    for await (const ids of scanSet(this.store, keys.tenants)) {
      const names = await Promise.all(ids.map((id) => client.hget(keys.tenant(id), 'name')))
      for (const [at, id] of ids.entries()) {
        this.tenants.set(id, [`${id}\t${names[at] ?? ''}`.toLowerCase()])
        tenants.add(id)
      }
      await mapLimited(ids, PLACES, (id) => this.readDomains(id))
    }
    const connectors = new Set<string>()
    await readConnectors(this.store, (each) => {
      const id = connectorId(each.tenant, each.name)
      const identities = IDENTITY_KINDS.flatMap(([kind]) => each[kind])
      this.connectors.set(id, [[id, ...identities].join('\t')])
      connectors.add(id)
    })
    this.tenants.keepOnly(tenants)
    this.domains.keepOnly(tenants)
    this.connectors.keepOnly(connectors)
    this.isComplete = true
    const now = performance.now()
    this.due = now + Math.max(SHORTEST, SHARE * (now - begun))
  }

  private async readDomains(tenant: string): Promise<void> {
    const domains: string[] = []
    await scanHash(this.store, this.store.keys.domains(tenant), BATCH, (name) => domains.push(name))
    this.domains.set(tenant, domains)
  }
}
