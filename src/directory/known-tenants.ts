import { performance } from 'node:perf_hooks'
import { LRUCache } from 'lru-cache'
import type { Scope } from '../mail/scope'
import type { Store } from '../store/store'
import { jittered, RETRY_AFTER, type InBackground } from './aging'
import type { Change } from '../registry/changes'
import { applyChange, type DomainsChange } from '../registry/domain-changes'
import { HeardChanges } from './heard-changes'
import type { KnownRegistry } from './known-registry'
import type { Snapshot } from './snapshot'
import { readSnapshot, upToDate, type OwnSnapshot } from './snapshot-reader'

/** Known tenants a process keeps at most, and accepted domains over all of them. */
const MOST_TENANTS = 10_000
const MOST_DOMAINS = 2_000_000

interface Held {
  readonly snapshot: OwnSnapshot
  /** Monotonic ms. */
  refreshAt: number
  /** It comes from the snapshot file, and Redis has not been asked since. */
  readonly remembered?: true
  /** Redis did not have it when it was asked for last. */
  missing?: true
}

interface Loading {
  readonly promise: Promise<Snapshot | undefined>
  readonly heard: HeardChanges<DomainsChange>
  /** What it reads may be from before something that was heard. */
  again: boolean
}

/** What the tenants of a process need of the directory that they are part of. */
export interface TenantsContext {
  readonly store: Store
  /** In ms. */
  readonly ageLimit: number
  readonly inBackground: InBackground
  readonly registry: KnownRegistry
  /** Resolves when all has been heard that was announced before the call. */
  readonly catchUp: () => Promise<unknown>
  /** More or other things are known than before. */
  readonly onNews: () => void
  /** A tenant that is known here has another restriction than before. */
  readonly onRestriction: (before: Snapshot, now: Snapshot) => void
  readonly onEventsPending: (tenant: string) => void
}

/** The snapshots that one process holds, and how they are kept up to date. */
export class KnownTenants {
  private readonly held = new LRUCache<string, Held>({
    max: MOST_TENANTS,
    maxSize: MOST_DOMAINS,
    // One that is larger than all may be together takes the whole place, or it would be read for every message.
    sizeCalculation: ({ snapshot }) => Math.min(snapshot.domains.size + 1, MOST_DOMAINS),
  })
  private readonly loading = new Map<string, Loading>()

  constructor(private readonly context: TenantsContext) {}

  /** How many are known. */
  get size(): number {
    return this.held.size
  }

  /** The ids of all that are known, the last one that was asked for first. */
  ids(): string[] {
    return [...this.held.keys()]
  }

  /** What is known of a tenant; that somebody looks does not count. */
  look(tenant: string): Snapshot | undefined {
    return this.held.peek(tenant)?.snapshot
  }

  /** Takes over what an earlier process knew, unless it is known by now. */
  remember(snapshot: OwnSnapshot): void {
    if (this.held.has(snapshot.tenant)) return
    this.held.set(snapshot.tenant, { snapshot, refreshAt: 0, remembered: true })
  }

  /** See {@link Directory.peek}. */
  peek(tenant: string): Snapshot | undefined {
    const held = this.held.get(tenant)
    if (held === undefined) return undefined
    const now = performance.now()
    if (now > held.refreshAt) {
      held.refreshAt = now + RETRY_AFTER
      this.refresh(tenant)
    }
    return held.snapshot
  }

  /** See {@link Directory.load}. */
  load(tenant: string): Promise<Snapshot | undefined> {
    const running = this.loading.get(tenant)
    if (running) return running.promise
    const heard = new HeardChanges<DomainsChange>()
    const promise = this.read(tenant, heard).finally(() => this.loaded(tenant))
    this.loading.set(tenant, { promise, heard, again: false })
    return promise
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

  /** Takes note of a change that was announced. */
  changed({ tenant, token, domains }: Extract<Change, { tenant: string }>): void {
    const held = this.held.peek(tenant)
    const loading = this.loading.get(tenant)
    if (domains) loading?.heard.add(domains)
    if (held === undefined) {
      if (loading && !domains) loading.again = true
      return
    }
    const { snapshot } = held
    if (snapshot.domainsToken === token || snapshot.stateToken === token) return
    if (domains?.previous === snapshot.domainsToken) {
      applyChange(snapshot.domains, domains)
      this.replace(held, { ...snapshot, domainsToken: token })
    } else if (!domains || !loading) {
      this.refresh(tenant)
    }
  }

  private async read(
    tenant: string,
    heard: HeardChanges<DomainsChange>,
  ): Promise<Snapshot | undefined> {
    const { store, ageLimit, registry, catchUp, onNews, onRestriction, onEventsPending } =
      this.context
    registry.assertUsable()
    const { snapshot: before, remembered } = this.held.peek(tenant) ?? {}
    const asRead = await readSnapshot(store, tenant, before, {
      ...{ heard, catchUp },
      onEventsPending: () => onEventsPending(tenant),
    })
    if (asRead === undefined) return this.missing(tenant)
    // Afterwards: what was read may have been put there after all was lost.
    await registry.check()
    const current = upToDate(asRead, heard)
    const held = this.held.peek(tenant)?.snapshot
    const read = this.isOvertaken(current, held) ? withoutRestriction(current) : current
    // A restriction was seen meanwhile: the answer may be from before it, and is asked for again.
    const seen = before && held?.restricted !== before.restricted ? held?.restricted : undefined
    const snapshot = seen ? { ...read, stateToken: '', restricted: seen } : read
    const kept = held && isSame(held, snapshot) ? held : snapshot
    this.held.set(tenant, {
      snapshot: kept,
      refreshAt: performance.now() + jittered(ageLimit),
    })
    if (kept !== held) onNews()
    if (before && !remembered && !seen && !isRestrictedAlike(before, kept)) {
      onRestriction(before, kept)
    }
    return kept
  }

  /**
   * Whether it is a restriction that may have been lifted since: it is asked for again, and until then the charges of
   * unregistered mail ask Redis whether there is one.
   */
  private isOvertaken(read: Snapshot, held: Snapshot | undefined): boolean {
    if (read.restricted !== 'unregistered' || !held || held.restricted) return false
    return this.loading.get(read.tenant)?.again === true
  }

  /** It is gone because it was removed, or it is lost: then the index still names it, and what is known holds. */
  private async missing(tenant: string): Promise<Snapshot | undefined> {
    const lost = await this.context.registry.isIndexed(tenant)
    const held = this.held.peek(tenant)
    if (!lost || !held) {
      this.held.delete(tenant)
      return undefined
    }
    // A removal takes it out of the index at its end, which is soon.
    if (held.missing) this.context.inBackground(Promise.reject(goneThoughIndexed(tenant)))
    held.missing = true
    held.refreshAt = performance.now() + RETRY_AFTER
    return held.snapshot
  }

  private loaded(tenant: string): void {
    const { heard, again } = this.loading.get(tenant)!
    this.loading.delete(tenant)
    // What was heard last is not where it has led: something in between was not heard, or the reading failed.
    const missed =
      heard.last !== undefined && heard.last !== this.held.peek(tenant)?.snapshot.domainsToken
    if (again || missed) this.refresh(tenant)
  }

  /** In the place of one that is held, as old as that was. */
  private replace({ refreshAt }: Held, snapshot: OwnSnapshot): void {
    this.held.set(snapshot.tenant, { snapshot, refreshAt })
    this.context.onNews()
  }
}

function goneThoughIndexed(tenant: string): Error {
  return new Error(
    `tenant ${tenant} is gone from Redis, though the index names it: what is known of it holds`,
  )
}

function withoutRestriction(snapshot: OwnSnapshot): OwnSnapshot {
  return { ...snapshot, stateToken: '', restricted: undefined, restrictedBy: '', case: '' }
}

function isSame(before: Snapshot, now: Snapshot): boolean {
  return before.domainsToken === now.domainsToken && before.stateToken === now.stateToken
}

function isRestrictedAlike(before: Snapshot, now: Snapshot): boolean {
  return before.restricted === now.restricted && before.restrictedBy === now.restrictedBy
}
