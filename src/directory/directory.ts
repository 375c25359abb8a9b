import { performance } from 'node:perf_hooks'
import type { Scope } from '../mail/scope'
import { messageOf } from '../base/errors'
import { KnownPause } from '../enforcement/known-pause'
import { putPauseBack, readPause } from '../enforcement/pause'
import { onReconnect } from '../store/reconnect'
import type { Client, Store } from '../store/store'
import { AGE_LIMIT, jittered, RETRY_AFTER } from './refresh'
import { coalesced } from '../base/coalesce'
import { mapLimited } from '../base/limiter'
import { CONNECTORS, PAUSE, type Question } from '../nodes/question'
import type { Mark } from '../records/token'
import { changeMark, isByPerson, parseChange, type Change } from '../registry/changes'
import { readLost, tenantMark, type PutBack } from '../registry/lost-changes'
import { Announcements } from './announcements'
import { LossReports } from './loss-reports'
import { LostChangesInEffect } from './lost-changes'
import { Standings, type RememberedLift, type RememberedRestriction } from './standings'
import type { ConnectorIndex } from './connector-index'
import { isTenantId } from '../mail/identities'
import { confirm } from './confirmations'
import { ConnectorCache } from './connector-cache'
import { OwnerCache, type RememberedOwners } from './owner-cache'
import { RegistryMonitor, RegistryUnusable, type RememberedRegistry } from './registry-monitor'
import { TenantCache } from './tenant-cache'
import type { Snapshot } from './snapshot'
import type { OwnSnapshot } from './snapshot-reader'
import type { Connector } from '../mail/tenant'

/** Tenants read at the same time after a reconnect. */
const AT_ONCE = 32

/** The rest works with an ACL of a version before this one. */
const PAUSE_DENIED =
  'a pause of enforcement (tenantctl enforcement pause) would not be seen here: load docs/acl/plugin.acl'

/** What a directory reports. */
export interface DirectoryEvents {
  /** Redis has answered with the connectors for the first time. */
  onReady(connectors: number): void
  /** The registry has no epoch, or an older schema than this version; see {@link ensureEpoch}. */
  onOutdated?(): void
  /** The registry must not be read or written: the message says why, and what to do. Called at each check. */
  onUnusable?(message: string): void
  /** The registry can be read and written again, or an operator has accepted another one. */
  onUsableAgain?(): void
  /** The restriction of a cached tenant has changed. */
  onRestriction(before: Snapshot, now: Snapshot): void
  /** Events of a tenant wait to be put into the stream. Called at each read of the tenant. */
  onEventsPending?(tenant: string): void
  /** A person has restricted the tenant, or lifted its restriction; the tenant may not be cached. */
  onActed?(tenant: string): void
  /** This process has put back a restriction or a lift that Redis had lost. */
  onPutBack?(what: PutBack): void
  /** A connector has been blocked or unblocked. */
  onConnectorBlock?(now: Connector): void
  /** An order to the queues of all hosts was given. */
  onOrder?(): void
  /** A pause of enforcement has begun, changed or ended. */
  onPause?(): void
  onError(message: string): void
}

/** The content of the snapshot file. */
export interface Remembered extends RememberedRegistry, KnownState {
  readonly ownerOf?: RememberedOwners
}

/** What a process knew later than Redis, and all restrictions and lifts that it knew. */
export interface LaterState extends KnownState {
  readonly lifts: readonly RememberedLift[]
}

/** What a process knew, as far as the snapshot file holds it. */
export interface KnownState {
  /** `undefined`: not known. */
  readonly connectors?: ConnectorIndex | undefined
  /** Their last change; absent: not known. */
  readonly connectorsMark?: Mark | undefined
  /** The most recently used one first. */
  readonly tenants: readonly OwnSnapshot[]
  readonly restrictions: readonly RememberedRestriction[]
}

/**
 * The cache of one process: tenants, connectors and owners, so that registered mail needs no call to Redis.
 *
 * Changes arrive over pub/sub within milliseconds; a lost one is found by an age limit. Nothing is dropped for its age:
 * while Redis does not answer, the cache stays in effect.
 */
export class Directory {
  /** Grows whenever earlier attributions may be wrong now. */
  version = 0
  /** Grows whenever the cache has changed. */
  news = 0
  /** The latest change that was announced. */
  heard: Mark = 0
  /** All changes until then have been applied. */
  applied: Mark = 0

  readonly registry: RegistryMonitor
  readonly pause: KnownPause

  private readonly standings: Standings
  private readonly announcements: Announcements
  private readonly lossReports: LossReports
  private readonly lost: LostChangesInEffect
  private readonly tenants: TenantCache
  private readonly connectorCache: ConnectorCache
  private readonly owners: OwnerCache
  private subscriber: Client | undefined
  private processId = ''
  private timer: NodeJS.Timeout | undefined
  private rereading: NodeJS.Timeout | undefined

  /** @param ageLimit in ms: older data is read again in the background. */
  constructor(
    private readonly store: Store,
    private readonly events: DirectoryEvents,
    private readonly ageLimit = AGE_LIMIT,
  ) {
    const inBackground = (work: Promise<unknown>): void => this.inBackground(work)
    const onNews = (): void => void this.news++
    const onChange = (): void => {
      this.version++
      onNews()
    }
    const registry = (this.registry = new RegistryMonitor({
      store,
      hasCache: () => (this.connectors?.size ?? 0) > 0 || this.tenants.size > 0,
      onUsableAgain: () => {
        events.onUsableAgain?.()
        this.rereadEverything()
      },
      onReplaced: () => {
        this.connectorCache.forget()
        this.owners.forget()
      },
      onAccepted: () => this.accept(),
      onOutdated: () => events.onOutdated?.(),
    }))
    this.pause = new KnownPause(() => {
      onNews()
      events.onPause?.()
    })
    this.announcements = new Announcements(registry)
    this.lossReports = new LossReports({ store, inBackground, registry })
    const lost = (this.lost = new LostChangesInEffect({
      ...{ registry, announcements: this.announcements, reports: this.lossReports },
      knownMark: (subject) => this.knownMark(subject),
    }))
    const standings = (this.standings = new Standings({
      ...{ store, inBackground, registry, onNews },
      onPutBack: (putBack) => this.onPutBack(putBack),
    }))
    this.tenants = new TenantCache({
      ...{ store, ageLimit, inBackground, registry, standings, lost, onNews },
      catchUp: () => this.catchUp(),
      onRestriction: (before, now) => events.onRestriction(before, now),
      onEventsPending: (tenant) => events.onEventsPending?.(tenant),
    })
    this.connectorCache = new ConnectorCache({
      ...{ store, inBackground, registry, lost, onChange },
      catchUp: () => this.catchUp(),
      onReady: (connectors) => events.onReady(connectors),
      onBlock: (now) => events.onConnectorBlock?.(now),
    })
    this.owners = new OwnerCache({
      ...{ store, ageLimit, inBackground, registry, lost, onChange },
    })
  }

  /** `undefined`: not loaded. */
  get connectors(): ConnectorIndex | undefined {
    return this.connectorCache.index
  }

  /** The last change of connectors. */
  get connectorsMark(): Mark {
    return this.connectorCache.lastChange
  }

  /** Whether the connectors come from Redis; else from the snapshot file, and there may be more by now. */
  get connectorsAreRead(): boolean {
    return this.connectorCache.areRead
  }

  /**
   * Follows changes: subscribes whenever the subscriber's connection is ready, and then reads everything again, since
   * changes may have been missed.
   *
   * @param subscriber a connection of its own; {@link stop} closes it.
   * @param processId the name by which this process confirms changes; empty: it does not.
   */
  follow(subscriber: Client, processId = ''): void {
    this.subscriber = subscriber
    this.processId = processId
    subscriber.on('message', (channel: string, message: string) => {
      if (channel === this.store.keys.changes) this.onMessage(message)
    })
    subscriber.on('ready', () => this.subscribe(subscriber))
    if (subscriber.status === 'ready') this.subscribe(subscriber)
    onReconnect(this.store.client, () => {
      this.rereadEverything()
      this.probe(subscriber)
    })
    this.checkByAge()
  }

  /** Stops following changes; the cache stays in effect, and is read again by age. */
  stop(): void {
    clearTimeout(this.timer)
    clearTimeout(this.rereading)
    this.subscriber?.disconnect()
    this.subscriber = undefined
  }

  /** Whether the connectors come from Redis, so that no snapshot file is needed. */
  get isCurrent(): boolean {
    return this.registry.state === 'usable' && this.connectors !== undefined
  }

  /** Fills the cache from the snapshot file, until Redis answers. */
  remember(remembered: Remembered): void {
    const { connectors, connectorsMark, tenants, restrictions, ownerOf } = remembered
    this.registry.remember(remembered, tenants.length)
    if (connectors) this.connectorCache.remember(connectors, connectorsMark)
    // The one added last is dropped last.
    for (const each of tenants.toReversed()) this.tenants.remember(each)
    for (const { tenant, created, restriction } of restrictions) {
      this.standings.remember(tenant, created, restriction)
    }
    if (ownerOf) this.owners.remember(ownerOf)
  }

  /**
   * Compares what an earlier process knew with what Redis holds, which has gone back in time since: what it has lost comes
   * into effect.
   *
   * @throws if Redis does not answer.
   */
  async recall(later: LaterState): Promise<void> {
    const { connectors, connectorsMark, tenants, restrictions, lifts } = later
    if (connectors) await this.connectorCache.recall(connectors, connectorsMark)
    await this.standings.recall(restrictions, lifts)
    if (tenants.length === 0) return
    await mapLimited(tenants, AT_ONCE, (each) => this.tenants.recall(each))
    this.owners.changed()
  }

  /** Ids of the cached tenants, the most recently used first. */
  knownTenants(): string[] {
    return this.tenants.ids()
  }

  /** Number of the cached tenants. */
  get tenantCount(): number {
    return this.tenants.size
  }

  /** The cached tenant; does not count as a use. */
  look(tenant: string): Snapshot | undefined {
    return this.tenants.look(tenant)
  }

  /** The cached tenant, without waiting; an old one is read again in the background. */
  peek(tenant: string): Snapshot | undefined {
    return this.tenants.peek(tenant)
  }

  /**
   * Reads a tenant; one read at a time for each. `undefined`: there is no such tenant.
   *
   * @throws if Redis does not answer.
   */
  load(tenant: string): Promise<Snapshot | undefined> {
    // A note of another plugin may name anything, and the key made of it could be another key of the registry.
    if (!isTenantId(tenant)) return Promise.resolve(undefined)
    return this.reported(this.tenants.load(tenant))
  }

  /** Grows when a cached tenant changes or goes, and once a second while {@link peek} is called. */
  get tenantsVersion(): number {
    return this.tenants.version
  }

  /** Whether Redis has lost changes of the tenant, which stay in effect, or a restriction that is not back yet. */
  hasLost(tenant: string): boolean {
    return this.lost.has(tenant) || this.standings.isPuttingBack(tenant)
  }

  /** Whether the restriction is known as it is in the snapshot file. */
  knows(restriction: RememberedRestriction): boolean {
    return this.standings.knows(restriction)
  }

  /** Reads a tenant again in the background: a script has found the cached one out of date. */
  refresh(tenant: string): void {
    this.tenants.refresh(tenant)
  }

  /**
   * Caches the restriction that a charge has just returned, and reads the rest in the background: if Redis goes away now,
   * the restriction is in effect anyway.
   *
   * @param stateToken the cached one when the charge was made. An answer older than the cache, from before a lift for
   *   example, changes nothing by itself.
   */
  restrictionSeen(tenant: string, scope: Scope, stateToken: string): void {
    this.tenants.restrictionSeen(tenant, scope, stateToken)
  }

  /**
   * The cached owner of a domain; `null`: no tenant owns it; `undefined`: call {@link askOwner}.
   *
   * @param sentBy the tenant that sends from the domain; absent: the domain is that of an AUTH user. Sender domains have
   *   a cache of their own, in which each tenant has a share.
   */
  ownerOf(domain: string, sentBy?: string): string | null | undefined {
    return this.owners.ownerOf(domain, sentBy)
  }

  /**
   * Reads the owner of a domain; `null`: no tenant owns it. While Redis does not answer, the cache stays in effect.
   *
   * @param sentBy as in {@link ownerOf}.
   * @throws if Redis does not answer and nothing is cached.
   */
  askOwner(domain: string, sentBy?: string): Promise<string | null> {
    return this.reported(this.owners.ask(domain, sentBy))
  }

  /**
   * Loads all connectors, unless the cache is current.
   *
   * @throws if Redis does not answer.
   */
  loadConnectors(): Promise<void> {
    return this.connectorCache.load()
  }

  private subscribe(subscriber: Client): void {
    subscriber
      .subscribe(this.store.keys.changes)
      .then(() => this.rereadEverything())
      .catch((error: unknown) => {
        this.report(error)
        setTimeout(() => {
          if (subscriber.status === 'ready') this.subscribe(subscriber)
        }, RETRY_AFTER).unref()
      })
  }

  /** Until it succeeds: the node of a Cluster that is back answers CLUSTERDOWN for some seconds. */
  private rereadEverything(): void {
    this.readEverything().catch((error: unknown) => {
      this.report(error)
      clearTimeout(this.rereading)
      this.rereading = setTimeout(() => this.rereadEverything(), RETRY_AFTER).unref()
    })
  }

  /**
   * Reads the pause of enforcement again. A change that Redis has lost stays in effect, and is put back.
   *
   * @throws if Redis does not answer, or must not be read.
   */
  readonly readPause = coalesced(async () => {
    this.registry.assertUsable()
    const asked = performance.now()
    const read = await readPause(this.store)
    if (read.denied) return this.events.onError(PAUSE_DENIED)
    const { change } = this.pause
    if (change && this.registry.hasLost(change.mark, read.change?.mark ?? 0)) {
      await putPauseBack(this.store, change)
    } else {
      this.pause.adopt(read, asked)
    }
  })

  private readonly readEverything = coalesced(async () => {
    // The `ready` of the other connection calls this again.
    if (this.store.client.status !== 'ready') return
    await this.registry.check()
    const begun = this.registry.seenAt * 1000
    await this.readPause()
    if (!(await this.adoptLost())) this.lost.noReport()
    await this.loadConnectors()
    await this.owners.readAgain()
    await this.standings.readAll()
    // Loading counts as a use: the one used last comes last.
    await mapLimited(this.tenants.ids().toReversed(), AT_ONCE, (tenant) =>
      this.tenants.load(tenant),
    )
    await this.checkAnnounced()
    this.lost.reportAgain(await readLost(this.store))
    this.applied = Math.max(this.applied, begun)
  })

  /** Finds the changes that were announced of tenants that are not cached, and that Redis has lost. */
  private async checkAnnounced(): Promise<void> {
    const { client, keys } = this.store
    const others = this.announcements.tenants().filter((tenant) => !this.look(tenant))
    await mapLimited(others, AT_ONCE, async (tenant) => {
      const [domainsToken, stateToken] = await client.hmget(keys.tenant(tenant), 'domains', 'state')
      const isLost = this.announcements.compare(tenant, { domainsToken, stateToken })
      if (isLost) await this.tenants.load(tenant)
    })
  }

  /** Brings into effect what other processes know and Redis has lost. @returns whether they have reported any. */
  private async adoptLost(): Promise<boolean> {
    const report = await readLost(this.store)
    if (report) await this.readAgain(this.lost.adopt(report))
    return report !== undefined
  }

  private async readAgain(subjects: readonly string[]): Promise<void> {
    if (subjects.some((subject) => subject.includes('/'))) {
      this.connectorCache.invalidate()
      await this.connectorCache.load()
    }
    const tenants = subjects.filter((subject) => this.look(subject))
    if (tenants.length > 0) await this.owners.readAgain()
    await mapLimited(tenants, AT_ONCE, (tenant) => this.tenants.load(tenant))
  }

  /** An operator has accepted what Redis holds. */
  private accept(): void {
    this.lost.forget()
    this.connectorCache.invalidate()
    this.rereadEverything()
  }

  private knownMark(subject: string): Mark {
    if (subject.includes('/')) return this.connectorCache.lastChange
    const tenant = this.look(subject)
    return tenant ? tenantMark(tenant) : 0
  }

  private onPutBack(putBack: PutBack): void {
    this.lossReports.add({ kind: 'back', ...putBack })
    this.events.onPutBack?.(putBack)
  }

  private onMessage(message: string): void {
    const change = parseChange(message)
    if (change === undefined) {
      this.events.onError(`unknown message on ${this.store.keys.changes}: ${message.slice(0, 200)}`)
    } else if ('lost' in change) {
      this.inBackground(this.adoptLost())
    } else if ('orders' in change) {
      this.events.onOrder?.()
    } else if ('confirm' in change) {
      this.inBackground(this.confirm(change))
    } else if ('pause' in change) {
      if (change.pause > this.pause.mark) this.inBackground(this.readPause())
    } else if ('registry' in change) {
      this.inBackground(this.registry.check())
    } else if (this.registry.state !== 'usable') {
      // It concerns another registry, or everything will be read anyway.
      return
    } else {
      this.heard = Math.max(this.heard, changeMark(change))
      this.applied = Math.max(this.applied, this.heard)
      if ('tenant' in change) this.onTenant(change)
      else if ('owners' in change) this.owners.changed(change.names, change.version)
      else this.inBackground(this.connectorCache.changed(change))
    }
  }

  private async confirm(question: Question): Promise<void> {
    const { store, processId, registry } = this
    if (processId === '') return
    const reach = (subject: string, mark: Mark) => this.reach(subject, mark)
    await confirm({ store, processId, registry, reach }, question)
  }

  /** Resolves once all changes of a subject until `mark` are in force in this process. */
  private async reach(subject: string, mark: Mark): Promise<void> {
    if (subject === CONNECTORS) return this.connectorCache.reach(mark)
    if (subject === PAUSE) return this.reachPause(mark)
    if (!isTenantId(subject)) throw new Error(`it does not know ${subject}`)
    return this.tenants.reach(subject, mark)
  }

  private async reachPause(mark: Mark): Promise<void> {
    if (this.pause.mark < mark) await this.readPause()
    if (this.pause.mark < mark)
      throw new Error('it may not read the pause: load docs/acl/plugin.acl')
  }

  private onTenant(change: Extract<Change, { tenant: string }>): void {
    const { tenant, about } = change
    this.announcements.hear(change)
    // A cached tenant is read with its restriction.
    if (about.what !== 'unknown' || !this.look(tenant)) this.standings.announced(tenant, about)
    this.tenants.changed(change)
    if (isByPerson(about)) this.events.onActed?.(tenant)
    for (const other of this.lost.overtake(change)) if (this.look(other)) this.refresh(other)
  }

  /** Messages and answers arrive in order on a connection: before this answer, every change published until now. */
  private async catchUp(): Promise<void> {
    if (this.subscriber?.status === 'ready') await this.subscriber.ping().catch(() => {})
  }

  private checkByAge(): void {
    const isStable = this.registry.state === 'usable' && this.connectors !== undefined
    this.timer = setTimeout(
      () => {
        if (this.store.client.status === 'ready') this.inBackground(this.checkNow())
        if (this.subscriber) this.probe(this.subscriber)
        this.checkByAge()
      },
      jittered(isStable ? this.ageLimit : RETRY_AFTER),
    )
    this.timer.unref()
  }

  private async checkNow(): Promise<void> {
    await this.registry.check()
    await this.readPause()
    await this.loadConnectors()
  }

  /** The subscriber sends nothing by itself, and would not notice a dead connection or a replaced primary. */
  private probe(subscriber: Client): void {
    if (subscriber.status === 'ready') this.inBackground(subscriber.ping())
  }

  private inBackground(work: Promise<unknown>): void {
    work.catch((error: unknown) => this.report(error))
  }

  private report(error: unknown): void {
    if (error instanceof RegistryUnusable) this.events.onUnusable?.(error.message)
    else this.events.onError(messageOf(error))
  }

  /** Reports the failure of what a session waits for, too. */
  private reported<T>(work: Promise<T>): Promise<T> {
    this.inBackground(work)
    return work
  }
}
