import type { Store } from '../store/store'
import { MOST_READS, type InBackground } from './refresh'
import type { Change } from '../registry/changes'
import { ConnectorIndex } from './connector-index'
import { decodeConnector, readConnectors, readSomeConnectors } from '../registry/connector-reader'
import { packConnector } from '../registry/formats'
import { markOf, type Mark } from '../records/token'
import { ChangeBuffer, type Step } from './change-buffer'
import { connectorId } from '../mail/identities'
import { mergedConnector } from './connector-changes'
import type { LostChangesInEffect } from './lost-changes'
import type { RegistryMonitor } from './registry-monitor'
import type { Connector } from '../mail/tenant'

/** What the cache needs from the directory that it is part of. */
export interface ConnectorsContext {
  readonly store: Store
  readonly inBackground: InBackground
  readonly registry: RegistryMonitor
  readonly lost: LostChangesInEffect
  /** Resolves when every change published before the call has arrived, if there is a connection for changes. */
  readonly catchUp: () => Promise<unknown>
  /** Redis has answered with the connectors for the first time. */
  readonly onReady: (connectors: number) => void
  /** Earlier attributions may be wrong now. */
  readonly onChange: () => void
  /** A connector has been blocked or unblocked. */
  readonly onBlock: (now: Connector) => void
}

/** Ids of the connectors that are blocked in at least one of the indexes. */
function idsOfBlocked(...indexes: readonly ConnectorIndex[]): Set<string> {
  const ids = new Set<string>()
  for (const index of indexes) {
    for (const { tenant, name, blocked } of index.all()) {
      if (blocked) ids.add(connectorId(tenant, name))
    }
  }
  return ids
}

function* idsOf(index: ConnectorIndex): Generator<string> {
  for (const { tenant, name } of index.all()) yield connectorId(tenant, name)
}

function packed(connector: Connector | undefined): string | null {
  return connector === undefined ? null : packConnector(connector)
}

function put(index: ConnectorIndex, id: string, connector: Connector | undefined): void {
  index.delete(id)
  if (connector) index.set(connector)
}

/** Connectors (`tenant/name`) that were changed or removed. */
interface ConnectorsChange extends Step {
  readonly changed: readonly string[]
}

/** All connectors, cached in one process. */
export class ConnectorCache {
  private known: ConnectorIndex | undefined
  /** Empty: Redis had none; `undefined`: not known. */
  private token: string | undefined
  /** The latest change of connectors that this process knows. */
  private mark: Mark = 0
  private loading: Promise<void> | undefined
  /** Changes that arrive while all connectors are read. */
  private buffer: ChangeBuffer<ConnectorsChange> | undefined
  /** Changes whose connectors are being read. */
  private readonly following = new Set<Promise<void>>()
  private hasAnswered = false
  /** An empty answer from Redis replaces the cache. */
  private mayBeGone = false

  constructor(private readonly context: ConnectorsContext) {}

  /** `undefined`: never loaded. */
  get index(): ConnectorIndex | undefined {
    return this.known
  }

  /** The latest change that this process knows. */
  get lastChange(): Mark {
    return this.mark
  }

  /** Whether they come from Redis; else they come from the snapshot file, and there may be more by now. */
  get areRead(): boolean {
    return this.hasAnswered
  }

  /** See {@link Directory.loadConnectors}. */
  load(): Promise<void> {
    this.loading ??= this.readUnlessCurrent().finally(() => {
      this.loading = undefined
      this.buffer = undefined
    })
    return this.loading
  }

  /**
   * Resolves once this process has all changes until `mark`.
   *
   * @throws if Redis does not answer.
   */
  async reach(mark: Mark): Promise<void> {
    while (this.following.size > 0) await Promise.allSettled(this.following)
    // A read that is running may have begun before the change.
    for (let reads = 0; this.isBehind(mark) && reads < MOST_READS; reads++) await this.load()
    if (this.isBehind(mark)) throw new Error('it does not read the change')
  }

  private isBehind(mark: Mark): boolean {
    return this.token === undefined || this.mark < mark
  }

  /** Fills the cache from the snapshot file, unless it is filled already. */
  remember(index: ConnectorIndex, mark: Mark = 0): void {
    if (this.known !== undefined) return
    this.known = index
    this.mark = mark
    this.context.onChange()
  }

  /** Compares a later state than that in Redis with what Redis holds. @throws if Redis does not answer. */
  async recall(index: ConnectorIndex, mark: Mark = 0): Promise<void> {
    await this.loading
    if (mark <= this.mark) return
    this.known = index
    this.mark = mark
    this.invalidate()
    await this.load()
  }

  /** Lets the next answer from Redis replace the cache, even by nothing. */
  forget(): void {
    this.token = undefined
    this.mayBeGone = true
  }

  /** Lets the next {@link load} read all connectors. */
  invalidate(): void {
    this.token = undefined
  }

  /** Handles a published change: reads what has changed, or everything if a message was lost. */
  async changed(change: Extract<Change, { connectors: string }>): Promise<void> {
    const { connectors: token, previous, changed } = change
    if (this.buffer) {
      this.buffer.add({ previous: previous ?? '', token, changed })
    } else if (this.known !== undefined && token !== this.token) {
      if ((previous ?? '') === this.token) await this.noted(this.follow(this.known, token, changed))
      else await this.load()
    }
  }

  private async noted(following: Promise<void>): Promise<void> {
    this.following.add(following)
    await following.finally(() => this.following.delete(following))
  }

  private async follow(
    index: ConnectorIndex,
    token: string,
    changed: readonly string[],
  ): Promise<void> {
    // Set before reading: the next change builds on this one, and reading sees this state or a later one.
    this.token = token
    this.mark = Math.max(this.mark, markOf(token))
    try {
      const before = new Map(changed.map((id) => [id, index.get(id)]))
      for (const [id, read] of await readSomeConnectors(this.context.store, changed)) {
        put(index, id, this.inEffect(id, read))
      }
      this.context.onChange()
      this.reportBlocks(changed, (id) => before.get(id))
    } catch (error) {
      this.token = undefined
      throw error
    }
  }

  private async readUnlessCurrent(): Promise<void> {
    if (!(await this.isCurrent())) await this.readAll()
    if (this.hasAnswered) return
    this.hasAnswered = true
    this.context.onReady(this.known!.size)
  }

  private async isCurrent(): Promise<boolean> {
    if (this.known === undefined) return false
    if ((await this.tokenNow()) === this.token) return true
    // The answer may arrive before changes that were published earlier.
    await this.context.catchUp()
    return (await this.tokenNow()) === this.token
  }

  /** Reads all, then again what changed meanwhile; all once more in the background if a change did not arrive. */
  private async readAll(): Promise<void> {
    const { store, inBackground, registry, catchUp, onChange } = this.context
    const buffer = (this.buffer = new ChangeBuffer<ConnectorsChange>())
    let token = await this.tokenNow()
    const index = new ConnectorIndex()
    await readConnectors(store, (connector) => index.set(connector))
    const last = await this.tokenNow()
    if (!buffer.connects(token, last)) await catchUp()
    const isComplete = buffer.connects(token, last)
    // Checked afterwards: Redis may have lost the registry before this was read.
    await registry.check()
    if (last === '' && (this.known?.size ?? 0) > 0 && !this.mayBeGone) {
      throw new Error(
        'the connectors are gone from Redis, though the registry is there: the cached ones stay in effect',
      )
    }
    for (let news = [...buffer.after(token)]; news.length > 0; news = [...buffer.after(token)]) {
      const ids = [...new Set(news.flatMap(({ changed }) => changed))]
      for (const [id, read] of await readSomeConnectors(store, ids)) put(index, id, read)
      token = news.at(-1)!.token
    }
    // From here on each change is handled when it arrives.
    this.buffer = undefined
    const before = this.known
    this.findLost(index, token)
    this.known = this.withLost(index)
    this.token = token
    this.mark = markOf(token)
    this.mayBeGone = false
    onChange()
    if (before) this.reportBlocks(idsOfBlocked(before, this.known), (id) => before.get(id))
    if (!isComplete) setImmediate(() => inBackground(this.load()))
  }

  /** Finds the connectors whose changes Redis has lost: it holds an earlier state than this process knows. */
  private findLost(read: ConnectorIndex, token: string): void {
    const { known, mark, context } = this
    const found = markOf(token)
    if (!known || !context.registry.hasLost(mark, found)) return
    context.lost.compareConnectors(mark, found)
    const ids = new Set([...idsOf(known), ...idsOf(read)])
    for (const id of ids) {
      const [was, is] = [packed(read.get(id)), packed(known.get(id))]
      if (was !== is) context.lost.addConnector(id, mark, found, was, is)
    }
  }

  /** The connectors as read, with lost changes in effect. */
  private withLost(read: ConnectorIndex): ConnectorIndex {
    const corrected = new Map(
      this.context.lost.connectors().map((id) => [id, this.inEffect(id, read.get(id))]),
    )
    if (corrected.size === 0) return read
    const index = new ConnectorIndex()
    for (const each of corrected.values()) if (each) index.set(each)
    // Added last: an identity that was given to another connector since belongs to that.
    for (const each of read.all()) {
      if (!corrected.has(connectorId(each.tenant, each.name))) index.set(each)
    }
    return index
  }

  /** What is in effect of a connector that was read: what was written since Redis went back wins. */
  private inEffect(id: string, read: Connector | undefined): Connector | undefined {
    const { lost } = this.context
    const change = lost.connector(id)
    if (change === undefined) return read
    const [was, is] = [change.was, change.is].map((json) =>
      json === null ? undefined : decodeConnector(id, json),
    )
    if (packed(read) === change.was) return is
    const merged = read && was && is ? mergedConnector(read, was, is) : read
    lost.changeConnector(id, packed(read), packed(merged))
    return merged
  }

  private reportBlocks(ids: Iterable<string>, before: (id: string) => Connector | undefined): void {
    for (const id of ids) {
      const now = this.known?.get(id)
      if (now && now.blocked?.since !== before(id)?.blocked?.since) this.context.onBlock(now)
    }
  }

  private async tokenNow(): Promise<string> {
    const { client, keys } = this.context.store
    return (await client.get(keys.connectorsToken)) ?? ''
  }
}
