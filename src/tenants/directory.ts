import { performance } from 'node:perf_hooks'
import { LRUCache } from 'lru-cache'
import type { Scope } from '../restriction/restriction'
import { redisFailure } from '../store/failure'
import type { Client, Store } from '../store/store'
import { parseChange, type Change } from './changes'
import { ConnectorIndex } from './connector-index'
import { readConnectors, readSomeConnectors } from './connector-reader'
import { ownerOf } from './owners'
import { readSnapshot, type Snapshot } from './snapshot'

/** Known tenants a process keeps at most, and accepted domains over all of them. */
const MOST_TENANTS = 10_000
const MOST_DOMAINS = 2_000_000
const MOST_OWNERS = 10_000

/** What is older than this is asked for again in the background; until it is answered, what is known holds. */
const AGE_LIMIT = 30_000
/** After a failure to ask. */
const RETRY_AFTER = 2000
/** Tenants that are asked for at the same time after a reconnect. */
const AT_ONCE = 32

interface HeldSnapshot {
  readonly snapshot: Snapshot
  /** Monotonic ms. */
  refreshAt: number
}

interface HeldOwner {
  readonly owner: string | null
  refreshAt: number
  /** Ownership changed somewhere since: to be asked for before it is used, if Redis answers. */
  stale: boolean
}

/** What a directory tells of. */
export interface DirectoryEvents {
  /** The connectors are there for the first time; sessions can be attributed from now on. */
  onReady(connectors: number): void
  /** A tenant that this process knows has another restriction than before. */
  onRestriction(before: Snapshot, now: Snapshot): void
  onError(message: string): void
}

/**
 * What one process knows of tenants, connectors and owners, so that registered mail asks Redis nothing.
 *
 * Changes arrive over pub/sub within milliseconds; one that was lost is found by age. Nothing is ever dropped for its
 * age: while Redis cannot be asked, what is known counts.
 */
export class Directory {
  /** Grows whenever an attribution made before may be another now. */
  version = 0

  private index: ConnectorIndex | undefined
  private connectorsToken: string | null = null
  private readonly snapshots = new LRUCache<string, HeldSnapshot>({
    max: MOST_TENANTS,
    maxSize: MOST_DOMAINS,
    // One that is larger than all may be together takes the whole place, or it would be read for every message.
    sizeCalculation: ({ snapshot }) => Math.min(snapshot.domains.size + 1, MOST_DOMAINS),
  })
  private readonly owners = new LRUCache<string, HeldOwner>({ max: MOST_OWNERS })
  /** How often ownership has changed somewhere. */
  private ownerChanges = 0
  private readonly loading = new Map<string, Promise<Snapshot | undefined>>()
  private readonly loadAgain = new Set<string>()
  private connectorsLoading: Promise<void> | undefined
  private subscriber: Client | undefined
  private timer: NodeJS.Timeout | undefined

  /** @param ageLimit in ms: what is older is asked for again in the background. */
  constructor(
    private readonly store: Store,
    private readonly events: DirectoryEvents,
    private readonly ageLimit = AGE_LIMIT,
  ) {}

  /** `undefined`: never loaded. */
  get connectors(): ConnectorIndex | undefined {
    return this.index
  }

  /**
   * Starts to follow changes: subscribes whenever the subscriber's connection is ready, and asks for everything anew
   * then, since changes may have been missed.
   *
   * @param subscriber a connection of its own; {@link stop} closes it.
   */
  follow(subscriber: Client): void {
    this.subscriber = subscriber
    subscriber.on('message', (_channel: string, message: string) => this.onMessage(message))
    subscriber.on('ready', () => this.subscribe(subscriber))
    if (subscriber.status === 'ready') this.subscribe(subscriber)
    this.store.client.on('ready', () => this.inBackground(this.askForEverything()))
    this.checkByAge()
  }

  /** Ends following; what is known stays, and goes on being asked for by age. */
  stop(): void {
    clearTimeout(this.timer)
    this.subscriber?.disconnect()
    this.subscriber = undefined
  }

  /** What is known of a tenant right now, without waiting; asks for it in the background when it is old. */
  peek(tenant: string): Snapshot | undefined {
    const held = this.snapshots.get(tenant)
    if (held === undefined) return undefined
    if (performance.now() > held.refreshAt) {
      held.refreshAt = performance.now() + RETRY_AFTER
      this.refresh(tenant)
    }
    return held.snapshot
  }

  /**
   * Asks for a tenant; one question at a time for each. `undefined`: there is no such tenant.
   *
   * @throws where Redis gave no answer.
   */
  load(tenant: string): Promise<Snapshot | undefined> {
    const running = this.loading.get(tenant)
    if (running) return running
    const promise = this.readTenant(tenant).finally(() => {
      this.loading.delete(tenant)
      if (this.loadAgain.delete(tenant)) this.refresh(tenant)
    })
    this.loading.set(tenant, promise)
    return promise
  }

  /** Asks for a tenant in the background: somebody has seen that it is another than known here. */
  refresh(tenant: string): void {
    // A question that is under way may have been answered before the change.
    if (this.loading.has(tenant)) this.loadAgain.add(tenant)
    else this.inBackground(this.load(tenant))
  }

  /**
   * Takes over that a tenant is restricted, as a charge has just answered, and asks for the rest in the background: if
   * Redis goes away in this moment, the restriction is known all the same.
   */
  restrictionSeen(tenant: string, scope: Scope): void {
    const held = this.snapshots.peek(tenant)
    if (held && held.snapshot.restricted === undefined) {
      const snapshot = { ...held.snapshot, stateToken: '', restricted: scope }
      this.snapshots.set(tenant, { snapshot, refreshAt: held.refreshAt })
    }
    this.refresh(tenant)
  }

  /** Owner of a domain as known right now; `null`: nobody; `undefined`: to be asked for with {@link askOwner}. */
  ownerOf(domain: string): string | null | undefined {
    const held = this.owners.get(domain)
    if (held === undefined || held.stale) return undefined
    if (performance.now() > held.refreshAt) {
      held.refreshAt = performance.now() + RETRY_AFTER
      this.inBackground(this.readOwner(domain))
    }
    return held.owner
  }

  /**
   * Asks for the owner of a domain; `null`: nobody. While Redis cannot be asked, what was known before counts.
   *
   * @throws where Redis gave no answer and nothing is known.
   */
  async askOwner(domain: string): Promise<string | null> {
    try {
      return await this.readOwner(domain)
    } catch (error) {
      const held = this.owners.get(domain)
      if (held === undefined) throw error
      held.stale = false
      held.refreshAt = performance.now() + RETRY_AFTER
      return held.owner
    }
  }

  /**
   * Loads all connectors, unless what is known is still what Redis has.
   *
   * @throws where Redis gave no answer.
   */
  loadConnectors(): Promise<void> {
    this.connectorsLoading ??= this.readAllConnectors().finally(() => {
      this.connectorsLoading = undefined
    })
    return this.connectorsLoading
  }

  private async readTenant(tenant: string): Promise<Snapshot | undefined> {
    const before = this.snapshots.peek(tenant)?.snapshot
    const read = await readSnapshot(this.store, tenant, before)
    const held = this.snapshots.peek(tenant)?.snapshot
    // A restriction was seen meanwhile: the answer may be from before it, and is asked for again.
    if (held !== before && held?.restricted !== undefined) return held
    if (read === undefined) {
      this.snapshots.delete(tenant)
      return undefined
    }
    const snapshot = before && isSame(before, read) ? before : read
    this.snapshots.set(tenant, {
      snapshot,
      refreshAt: performance.now() + jittered(this.ageLimit),
    })
    if (before && !isRestrictedAlike(before, snapshot)) {
      this.events.onRestriction(before, snapshot)
    }
    return snapshot
  }

  private async readOwner(domain: string): Promise<string | null> {
    const changes = this.ownerChanges
    const owner = (await ownerOf(this.store, domain)) ?? null
    const held = this.owners.peek(domain)
    if (held && held.owner !== owner) this.version++
    this.owners.set(domain, {
      owner,
      refreshAt: performance.now() + jittered(this.ageLimit),
      // The answer may be from before a change of which we have heard meanwhile.
      stale: changes !== this.ownerChanges,
    })
    return owner
  }

  private ownersChanged(): void {
    this.ownerChanges++
    if (this.owners.size === 0) return
    for (const held of this.owners.values()) held.stale = true
    this.version++
  }

  private subscribe(subscriber: Client): void {
    subscriber
      .subscribe(this.store.keys.changes)
      .then(() => this.askForEverything())
      .catch((error: unknown) => {
        this.events.onError(redisFailure(error))
        setTimeout(() => {
          if (subscriber.status === 'ready') this.subscribe(subscriber)
        }, RETRY_AFTER).unref()
      })
  }

  private async askForEverything(): Promise<void> {
    // The other connection's `ready` calls again.
    if (this.store.client.status !== 'ready') return
    await this.loadConnectors()
    this.ownersChanged()
    const tenants = [...this.snapshots.keys()]
    for (let at = 0; at < tenants.length; at += AT_ONCE) {
      await Promise.all(tenants.slice(at, at + AT_ONCE).map((tenant) => this.load(tenant)))
    }
  }

  private onMessage(message: string): void {
    const change = parseChange(message)
    if (change === undefined) {
      this.events.onError(`not understood on ${this.store.keys.changes}: ${message.slice(0, 200)}`)
    } else if ('tenant' in change) {
      this.tenantChanged(change.tenant, change.token)
    } else if ('owners' in change) {
      this.ownersChanged()
    } else {
      this.inBackground(this.connectorsChanged(change))
    }
  }

  private tenantChanged(tenant: string, token: string): void {
    const held = this.snapshots.peek(tenant)
    if (held === undefined && !this.loading.has(tenant)) return
    if (held?.snapshot.domainsToken === token || held?.snapshot.stateToken === token) return
    this.refresh(tenant)
  }

  private async connectorsChanged(change: Extract<Change, { connectors: string }>): Promise<void> {
    if (this.index === undefined || change.connectors === this.connectorsToken) return
    if (change.previous !== this.connectorsToken || this.connectorsLoading) {
      await this.connectorsLoading
      await this.loadConnectors()
      return
    }
    // Set before the reading: the next change builds on this one, and its reading sees what it changed or later.
    this.connectorsToken = change.connectors
    try {
      const connectors = await readSomeConnectors(this.store, change.changed)
      for (const [id, connector] of connectors) {
        this.index.delete(id)
        if (connector) this.index.set(connector)
      }
      this.version++
    } catch (error) {
      this.connectorsToken = null
      throw error
    }
  }

  private checkByAge(): void {
    const delay = jittered(this.index === undefined ? RETRY_AFTER : this.ageLimit)
    this.timer = setTimeout(() => {
      if (this.store.client.status === 'ready') this.inBackground(this.loadConnectors())
      // It asks for nothing by itself, and would never find its connection dead.
      if (this.subscriber?.status === 'ready') this.inBackground(this.subscriber.ping())
      this.checkByAge()
    }, delay)
    this.timer.unref()
  }

  private async readAllConnectors(): Promise<void> {
    const token = await this.store.client.get(this.store.keys.connectorsToken)
    if (this.index !== undefined && token === this.connectorsToken) return
    const index = new ConnectorIndex()
    await readConnectors(this.store, (connector) => index.set(connector))
    const first = this.index === undefined
    this.index = index
    // A change during the reading has another token, and makes us read again.
    this.connectorsToken = token
    this.version++
    if (first) this.events.onReady(index.size)
    if ((await this.store.client.get(this.store.keys.connectorsToken)) !== token) {
      setImmediate(() => this.inBackground(this.loadConnectors()))
    }
  }

  private inBackground(promise: Promise<unknown>): void {
    promise.catch((error: unknown) => this.events.onError(redisFailure(error)))
  }
}

function isSame(before: Snapshot, now: Snapshot): boolean {
  return before.domainsToken === now.domainsToken && before.stateToken === now.stateToken
}

function isRestrictedAlike(before: Snapshot, now: Snapshot): boolean {
  return before.restricted === now.restricted && before.restrictedBy === now.restrictedBy
}

/** Spread over a quarter around `ms`, so that processes that started together do not ask together. */
function jittered(ms: number): number {
  return ms * (0.75 + Math.random() / 2)
}
