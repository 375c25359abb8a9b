import type { Scope } from '../mail/scope'
import { messageOf } from '../base/errors'
import type { Client, Store } from '../store/store'
import { AGE_LIMIT, jittered, RETRY_AFTER } from './aging'
import { parseChange } from '../registry/changes'
import type { ConnectorIndex } from './connector-index'
import { isTenantId } from '../mail/identities'
import { KnownConnectors } from './known-connectors'
import { KnownOwners, type RememberedOwners } from './known-owners'
import { KnownRegistry, RegistryUnusable } from './known-registry'
import { KnownTenants } from './known-tenants'
import type { Snapshot } from './snapshot'
import type { OwnSnapshot } from './snapshot-reader'
import type { Connector } from '../mail/tenant'

/** Tenants that are asked for at the same time after a reconnect. */
const AT_ONCE = 32

/** What a directory tells of. */
export interface DirectoryEvents {
  /** Redis has answered with the connectors for the first time. */
  onReady(connectors: number): void
  /** The registry has no epoch, or an older schema than ours; see {@link ensureEpoch}. */
  onOutdated?(): void
  /** What Redis holds must not be read or written: the message says why, and what to do. Told as long as it is so. */
  onUnusable?(message: string): void
  /** What Redis holds may be read and written again, or an operator has put another registry there. */
  onUsableAgain?(): void
  /** A tenant that this process knows has another restriction than before. */
  onRestriction(before: Snapshot, now: Snapshot): void
  /** Events of a tenant wait to be put into the stream. Told whenever the tenant is read, as long as it is so. */
  onEventsPending?(tenant: string): void
  /** A connector has been blocked, or is so no longer. */
  onConnectorBlock?(now: Connector): void
  onError(message: string): void
}

/** What an earlier process knew, as the snapshot file holds it. */
export interface Remembered {
  readonly epoch: string
  /** Server time at which the registry was last seen, in ms since the epoch of Unix. */
  readonly seenAt: number
  /** `undefined`: not known. */
  readonly connectors?: ConnectorIndex
  /** The first one is the last that anything was asked of. */
  readonly tenants: readonly OwnSnapshot[]
  readonly ownerOf?: RememberedOwners
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
  /** Grows whenever more or other things are known than before. */
  news = 0

  readonly registry: KnownRegistry

  private readonly tenants: KnownTenants
  private readonly knownConnectors: KnownConnectors
  private readonly owners: KnownOwners
  private subscriber: Client | undefined
  private timer: NodeJS.Timeout | undefined

  /** @param ageLimit in ms: what is older is asked for again in the background. */
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
    const registry = (this.registry = new KnownRegistry({
      store,
      knows: () => (this.connectors?.size ?? 0) > 0 || this.tenants.size > 0,
      onUsableAgain: () => {
        events.onUsableAgain?.()
        this.inBackground(this.askForEverything())
      },
      onReplaced: () => {
        this.knownConnectors.forget()
        this.owners.forget()
      },
      onOutdated: () => events.onOutdated?.(),
    }))
    this.tenants = new KnownTenants({
      ...{ store, ageLimit, inBackground, registry, onNews },
      catchUp: () => this.catchUp(),
      onRestriction: (before, now) => events.onRestriction(before, now),
      onEventsPending: (tenant) => events.onEventsPending?.(tenant),
    })
    this.knownConnectors = new KnownConnectors({
      ...{ store, inBackground, registry, onChange },
      catchUp: () => this.catchUp(),
      onReady: (connectors) => events.onReady(connectors),
      onBlock: (now) => events.onConnectorBlock?.(now),
    })
    this.owners = new KnownOwners({ store, ageLimit, inBackground, registry, onChange })
  }

  /** `undefined`: not known. */
  get connectors(): ConnectorIndex | undefined {
    return this.knownConnectors.index
  }

  /** Whether Redis has told of the connectors; else an earlier process knew them, and there may be more by now. */
  get connectorsAreRead(): boolean {
    return this.knownConnectors.areRead
  }

  /**
   * Starts to follow changes: subscribes whenever the subscriber's connection is ready, and asks for everything anew
   * then, since changes may have been missed.
   *
   * @param subscriber a connection of its own; {@link stop} closes it.
   */
  follow(subscriber: Client): void {
    this.subscriber = subscriber
    subscriber.on('message', (channel: string, message: string) => {
      if (channel === this.store.keys.changes) this.onMessage(message)
    })
    subscriber.on('ready', () => this.subscribe(subscriber))
    if (subscriber.status === 'ready') this.subscribe(subscriber)
    this.store.client.on('ready', () => {
      this.inBackground(this.askForEverything())
      this.probe(subscriber)
    })
    this.checkByAge()
  }

  /** Ends following; what is known stays, and goes on being asked for by age. */
  stop(): void {
    clearTimeout(this.timer)
    this.subscriber?.disconnect()
    this.subscriber = undefined
  }

  /** Whether Redis has told of the connectors, so that nothing has to be remembered. */
  get isCurrent(): boolean {
    return this.registry.state === 'usable' && this.connectors !== undefined
  }

  /** Takes over what an earlier process knew, until Redis answers. */
  remember({ epoch, seenAt, connectors, tenants, ownerOf }: Remembered): void {
    this.registry.remember(epoch, seenAt, tenants.length)
    if (connectors) this.knownConnectors.remember(connectors)
    // The last one that is set is the last that goes.
    for (const each of tenants.toReversed()) this.tenants.remember(each)
    if (ownerOf) this.owners.remember(ownerOf)
  }

  /** The ids of the tenants that are known, the last one that anything was asked of first. */
  knownTenants(): string[] {
    return this.tenants.ids()
  }

  /** What is known of a tenant; that somebody looks does not count. */
  look(tenant: string): Snapshot | undefined {
    return this.tenants.look(tenant)
  }

  /** What is known of a tenant right now, without waiting; asks for it in the background when it is old. */
  peek(tenant: string): Snapshot | undefined {
    return this.tenants.peek(tenant)
  }

  /**
   * Asks for a tenant; one question at a time for each. `undefined`: there is no such tenant.
   *
   * @throws where Redis gave no answer.
   */
  load(tenant: string): Promise<Snapshot | undefined> {
    // A note of another plugin may name anything; a key made of it could be one of our other keys.
    if (!isTenantId(tenant)) return Promise.resolve(undefined)
    return this.told(this.tenants.load(tenant))
  }

  /** Asks for a tenant in the background: somebody has seen that it is another than known here. */
  refresh(tenant: string): void {
    this.tenants.refresh(tenant)
  }

  /**
   * Takes over that a tenant is restricted, as a charge has just answered, and asks for the rest in the background: if
   * Redis goes away in this moment, the restriction is known all the same.
   *
   * @param stateToken what was known when the charge was asked for. An answer that comes after newer news, such as a
   *   lift, changes nothing by itself.
   */
  restrictionSeen(tenant: string, scope: Scope, stateToken: string): void {
    this.tenants.restrictionSeen(tenant, scope, stateToken)
  }

  /**
   * Owner of a domain as known right now; `null`: nobody; `undefined`: to be asked for with {@link askOwner}.
   *
   * @param sentBy the tenant that sends from the domain; absent: it is that of an AUTH user. What tenants send from is
   *   kept apart, and each tenant has a share of it.
   */
  ownerOf(domain: string, sentBy?: string): string | null | undefined {
    return this.owners.ownerOf(domain, sentBy)
  }

  /**
   * Asks for the owner of a domain; `null`: nobody. While Redis cannot be asked, what was known before counts.
   *
   * @param sentBy as with {@link ownerOf}.
   * @throws where Redis gave no answer and nothing is known.
   */
  askOwner(domain: string, sentBy?: string): Promise<string | null> {
    return this.told(this.owners.ask(domain, sentBy))
  }

  /**
   * Loads all connectors, unless what is known is still what Redis has.
   *
   * @throws where Redis gave no answer.
   */
  loadConnectors(): Promise<void> {
    return this.knownConnectors.load()
  }

  private subscribe(subscriber: Client): void {
    subscriber
      .subscribe(this.store.keys.changes)
      .then(() => this.askForEverything())
      .catch((error: unknown) => {
        this.tell(error)
        setTimeout(() => {
          if (subscriber.status === 'ready') this.subscribe(subscriber)
        }, RETRY_AFTER).unref()
      })
  }

  private async askForEverything(): Promise<void> {
    // The other connection's `ready` calls again.
    if (this.store.client.status !== 'ready') return
    await this.registry.check()
    await this.loadConnectors()
    this.owners.changed()
    const tenants = this.tenants.ids()
    for (let at = 0; at < tenants.length; at += AT_ONCE) {
      await Promise.all(tenants.slice(at, at + AT_ONCE).map((tenant) => this.tenants.load(tenant)))
    }
  }

  private onMessage(message: string): void {
    const change = parseChange(message)
    if (change === undefined) {
      this.events.onError(`not understood on ${this.store.keys.changes}: ${message.slice(0, 200)}`)
    } else if ('registry' in change) {
      this.inBackground(this.registry.check())
    } else if (this.registry.state !== 'usable') {
      // It is news of another registry, or all is asked for anyhow.
      return
    } else if ('tenant' in change) {
      this.tenants.changed(change)
    } else if ('owners' in change) {
      this.owners.changed(change.names)
    } else {
      this.inBackground(this.knownConnectors.changed(change))
    }
  }

  /** Messages and answers come in order on a connection: before this answer, all that was announced by now. */
  private async catchUp(): Promise<void> {
    if (this.subscriber?.status === 'ready') await this.subscriber.ping().catch(() => {})
  }

  private checkByAge(): void {
    const isSettled = this.registry.state === 'usable' && this.connectors !== undefined
    this.timer = setTimeout(
      () => {
        if (this.store.client.status === 'ready') this.inBackground(this.checkNow())
        if (this.subscriber) this.probe(this.subscriber)
        this.checkByAge()
      },
      jittered(isSettled ? this.ageLimit : RETRY_AFTER),
    )
    this.timer.unref()
  }

  private async checkNow(): Promise<void> {
    await this.registry.check()
    await this.loadConnectors()
  }

  /** It asks for nothing by itself, and would never find its connection dead, or at a primary that has been replaced. */
  private probe(subscriber: Client): void {
    if (subscriber.status === 'ready') this.inBackground(subscriber.ping())
  }

  private inBackground(work: Promise<unknown>): void {
    work.catch((error: unknown) => this.tell(error))
  }

  private tell(error: unknown): void {
    if (error instanceof RegistryUnusable) this.events.onUnusable?.(error.message)
    else this.events.onError(messageOf(error))
  }

  /** For what a session waits for, which goes on without it. */
  private told<T>(work: Promise<T>): Promise<T> {
    this.inBackground(work)
    return work
  }
}
