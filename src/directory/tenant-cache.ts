import { performance } from 'node:perf_hooks'
import { LruCache } from '../base/lru-cache'
import { USUAL_SCOPE, type Scope } from '../mail/scope'
import { markOf, type Mark } from '../records/token'
import type { Store } from '../store/store'
import { jittered, MOST_READS, RETRY_AFTER, type InBackground } from './refresh'
import type { Change } from '../registry/changes'
import { applyChange, type DomainsChange } from '../registry/domain-changes'
import { tenantMark } from '../registry/lost-changes'
import { ChangeBuffer } from './change-buffer'
import type { RegistryMonitor } from './registry-monitor'
import type { Before, LostChangesInEffect } from './lost-changes'
import { restrictionInForce, type Snapshot } from './snapshot'
import { readSnapshot, upToDate, type OwnSnapshot } from './snapshot-reader'
import type { Standings } from './standings'

/** Accepted domains of all tenants in the cache at most. A tenant has the room of 200 at least, so that 10,000 fit in. */
const MOST_DOMAINS = 2_000_000
const LEAST_SIZE = 200

/** A session uses a tenant for this long before it asks for it again, in ms. */
const USED_FOR = 1000

interface Held {
  readonly snapshot: OwnSnapshot
  /** Monotonic ms. */
  refreshAt: number
  /** It comes from the snapshot file, and has not been read from Redis since. */
  readonly remembered?: true
  /** Redis did not have it at the last read. */
  missing?: true
  /** It is not as Redis holds it: lost changes are in effect. */
  readonly corrected?: boolean
}

interface Loading {
  readonly promise: Promise<Snapshot | undefined>
  readonly buffer: ChangeBuffer<DomainsChange>
  /** What it reads may be older than a change that has arrived. */
  again: boolean
}

/** What the cache needs from the directory that it is part of. */
export interface TenantsContext {
  readonly store: Store
  /** In ms. */
  readonly ageLimit: number
  readonly inBackground: InBackground
  readonly registry: RegistryMonitor
  readonly standings: Standings
  readonly lost: LostChangesInEffect
  /** Resolves when every change published before the call has arrived. */
  readonly catchUp: () => Promise<unknown>
  /** The cache has changed. */
  readonly onNews: () => void
  /** The restriction of a cached tenant has changed. */
  readonly onRestriction: (before: Snapshot, now: Snapshot) => void
  readonly onEventsPending: (tenant: string) => void
}

/** Tenants with their accepted domains, cached in one process and kept up to date. */
export class TenantCache {
  /**
   * Grows whenever a cached tenant has changed or gone: until then a session uses what {@link peek} has returned. It also
   * grows a second after a call of `peek`, so that each use is noted and an old tenant is read again.
   */
  version = 0
  private renewal: NodeJS.Timeout | undefined
  private readonly held = new LruCache<Held>(
    MOST_DOMAINS,
    ({ snapshot }) => Math.max(snapshot.domains.size, LEAST_SIZE),
    () => void this.version++,
  )
  private readonly loading = new Map<string, Loading>()

  constructor(private readonly context: TenantsContext) {}

  /** Number of cached tenants. */
  get size(): number {
    return this.held.size
  }

  /** Ids of the cached tenants, the most recently used first. */
  ids(): string[] {
    return this.held.keys()
  }

  /** The cached tenant; does not count as a use. */
  look(tenant: string): Snapshot | undefined {
    return this.held.peek(tenant)?.snapshot
  }

  /** Adds a tenant of the snapshot file, unless it is cached already. */
  remember(snapshot: OwnSnapshot): void {
    if (this.held.has(snapshot.tenant)) return
    this.held.set(snapshot.tenant, { snapshot, refreshAt: 0, remembered: true })
  }

  /** Compares a later state than that in Redis with what Redis holds. @throws if Redis does not answer. */
  async recall(snapshot: OwnSnapshot): Promise<void> {
    const { tenant } = snapshot
    // It compares with what was known when it began.
    await this.loading.get(tenant)?.promise
    const held = this.look(tenant)
    if (held && tenantMark(held) >= tenantMark(snapshot)) return
    this.held.set(tenant, { snapshot, refreshAt: 0, remembered: true })
    await this.load(tenant)
  }

  /** See {@link Directory.peek}. */
  peek(tenant: string): Snapshot | undefined {
    const held = this.held.get(tenant)
    if (held === undefined) return undefined
    if (this.renewal === undefined) this.renewLater()
    const now = performance.now()
    if (now > held.refreshAt) {
      held.refreshAt = now + RETRY_AFTER
      this.refresh(tenant)
    }
    return held.snapshot
  }

  private renewLater(): void {
    this.renewal = setTimeout(() => {
      this.renewal = undefined
      this.version++
    }, USED_FOR).unref()
  }

  /** See {@link Directory.load}. */
  load(tenant: string): Promise<Snapshot | undefined> {
    const running = this.loading.get(tenant)
    if (running) return running.promise
    const buffer = new ChangeBuffer<DomainsChange>()
    const promise = this.read(tenant, buffer).finally(() => this.loaded(tenant))
    this.loading.set(tenant, { promise, buffer, again: false })
    return promise
  }

  /**
   * Resolves once the cached tenant has all changes until `mark`, or is not cached: it is read before it is used.
   *
   * @throws if Redis does not answer.
   */
  async reach(tenant: string, mark: Mark): Promise<void> {
    await this.loading.get(tenant)?.promise
    // A read that is running may have begun before the change.
    for (let reads = 0; this.isBehind(tenant, mark) && reads < MOST_READS; reads++) {
      await this.load(tenant)
    }
    if (this.isBehind(tenant, mark)) throw new Error('it does not read the change')
  }

  private isBehind(tenant: string, mark: Mark): boolean {
    const held = this.look(tenant)
    return held !== undefined && markOf(held.stateToken) < mark
  }

  /** See {@link Directory.refresh}. */
  refresh(tenant: string): void {
    const loading = this.loading.get(tenant)
    if (loading) loading.again = true
    else this.context.inBackground(this.load(tenant))
  }

  /** See {@link Directory.restrictionSeen}. */
  restrictionSeen(tenant: string, scope: Scope, stateToken: string): void {
    const held = this.held.peek(tenant)
    if (held?.snapshot.stateToken === stateToken && held.snapshot.restricted === undefined) {
      this.replace(held, { ...held.snapshot, stateToken: '', restricted: scope })
    }
    this.refresh(tenant)
  }

  /** Handles a published change. */
  changed({ tenant, token, domains }: Extract<Change, { tenant: string }>): void {
    const held = this.held.peek(tenant)
    const loading = this.loading.get(tenant)
    if (domains) loading?.buffer.add(domains)
    if (held === undefined) {
      if (loading && !domains) loading.again = true
      return
    }
    const { snapshot } = held
    if (snapshot.domainsToken === token || snapshot.stateToken === token) return
    if (held.corrected) {
      // Which lost changes are still in effect depends on what Redis holds now.
      this.refresh(tenant)
    } else if (domains?.previous === snapshot.domainsToken) {
      applyChange(snapshot.domains, domains)
      this.replace(held, { ...snapshot, domainsToken: token })
    } else if (!domains || !loading) {
      this.refresh(tenant)
    }
  }

  private async read(
    tenant: string,
    buffer: ChangeBuffer<DomainsChange>,
  ): Promise<Snapshot | undefined> {
    const { store, ageLimit, registry, standings, lost, catchUp } = this.context
    const { onNews, onRestriction, onEventsPending } = this.context
    registry.assertUsable()
    const { snapshot: before, remembered, corrected } = this.held.peek(tenant) ?? {}
    const known = lost.before(tenant, before)
    // A list that is not as Redis holds it cannot be brought up to date by changes.
    const list = corrected || lost.has(tenant) ? undefined : before
    const asRead = await readSnapshot(store, tenant, list, {
      ...{ buffer, catchUp },
      onEventsPending: () => onEventsPending(tenant),
    })
    if (asRead === undefined) return this.missing(tenant, known)
    // Checked afterwards: Redis may have lost the registry before this was read.
    await registry.check()
    const { standing, ...snapshotRead } = upToDate(asRead, buffer)
    const effective = lost.inEffect(tenant, known, snapshotRead)
    if (effective === undefined) return this.removed(tenant)
    const restriction = standings.inEffect(tenant, standing)
    const current = { ...effective, ...restrictionInForce(restriction) }
    const held = this.held.peek(tenant)?.snapshot
    const read = this.isOvertaken(current, held) ? withoutRestriction(current) : current
    // A restriction was reported meanwhile: the answer may be older, so the tenant is read again.
    const seen = before && held?.restricted !== before.restricted ? held?.restricted : undefined
    const snapshot = seen ? { ...read, stateToken: '', restricted: seen } : read
    const isCorrected = effective !== snapshotRead
    const isUnchanged = !corrected && !isCorrected && held && isSame(held, snapshot)
    const kept = isUnchanged ? held : snapshot
    this.held.set(tenant, {
      snapshot: kept,
      refreshAt: performance.now() + jittered(ageLimit),
      corrected: isCorrected,
    })
    if (kept !== held) onNews()
    if (before && !remembered && !seen && !isRestrictedAlike(before, kept)) {
      onRestriction(before, kept)
    }
    return kept
  }

  /**
   * Whether a restriction was read that may have been lifted since. The tenant is read again, and until then each charge
   * of unregistered mail asks Redis.
   */
  private isOvertaken(read: Snapshot, held: Snapshot | undefined): boolean {
    if (read.restricted !== USUAL_SCOPE || !held || held.restricted) return false
    return this.loading.get(read.tenant)?.again === true
  }

  /**
   * Handles a tenant that Redis does not have: removed, or lost. It is lost where the index still names it, or has gone back
   * itself.
   */
  private async missing(tenant: string, known: Before): Promise<Snapshot | undefined> {
    const { registry, lost, standings } = this.context
    const isIndexed = await registry.isIndexed(tenant)
    const held = this.held.peek(tenant)
    const isLost = (isIndexed || registry.indexWentBack) && !known.heard?.removed
    if (!isLost && !lost.has(tenant)) return this.removed(tenant)
    // The last step of a removal takes it out of the index, which is soon.
    if (isIndexed && !held?.missing && !registry.indexWentBack && !lost.has(tenant)) {
      if (!held) return undefined
      held.missing = true
      setTimeout(() => this.refresh(tenant), RETRY_AFTER).unref()
      return held.snapshot
    }
    const effective = lost.inEffect(tenant, known, undefined)
    if (effective === undefined) return this.removed(tenant)
    const snapshot = { ...effective, ...restrictionInForce(standings.restrictionOf(tenant)) }
    this.held.set(tenant, {
      snapshot,
      refreshAt: performance.now() + RETRY_AFTER,
      ...{ missing: true, corrected: true },
    })
    return snapshot
  }

  private removed(tenant: string): undefined {
    if (this.held.delete(tenant)) this.context.onNews()
    return undefined
  }

  private loaded(tenant: string): void {
    const { buffer, again } = this.loading.get(tenant)!
    this.loading.delete(tenant)
    // The latest change was not reached: one in between did not arrive, or reading failed.
    const missed =
      buffer.last !== undefined && buffer.last !== this.held.peek(tenant)?.snapshot.domainsToken
    if (again || missed) this.refresh(tenant)
  }

  /** Replaces a cached tenant and keeps its age. */
  private replace({ refreshAt, corrected }: Held, snapshot: OwnSnapshot): void {
    this.held.set(snapshot.tenant, { snapshot, refreshAt, corrected: corrected === true })
    this.context.onNews()
  }
}

function withoutRestriction(snapshot: OwnSnapshot): OwnSnapshot {
  return { ...snapshot, stateToken: '', restricted: undefined, restrictedBy: '', case: '' }
}

function isSame(before: Snapshot, now: Snapshot): boolean {
  return (
    before.domainsToken === now.domainsToken &&
    before.stateToken === now.stateToken &&
    isRestrictedAlike(before, now)
  )
}

function isRestrictedAlike(before: Snapshot, now: Snapshot): boolean {
  return before.restricted === now.restricted && before.restrictedBy === now.restrictedBy
}
