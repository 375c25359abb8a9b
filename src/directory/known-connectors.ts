import type { Store } from '../store/store'
import type { InBackground } from './aging'
import type { Change } from '../registry/changes'
import { ConnectorIndex } from './connector-index'
import { readConnectors, readSomeConnectors } from '../registry/connector-reader'
import { HeardChanges, type Step } from './heard-changes'
import { connectorId } from '../mail/identities'
import type { KnownRegistry } from './known-registry'
import type { Connector } from '../mail/tenant'

/** What the connectors of a process need of the directory that they are part of. */
export interface ConnectorsContext {
  readonly store: Store
  readonly inBackground: InBackground
  readonly registry: KnownRegistry
  /** Resolves when all has been heard that was announced before the call, as far as there is a connection for it. */
  readonly catchUp: () => Promise<unknown>
  /** Redis has answered with the connectors for the first time. */
  readonly onReady: (connectors: number) => void
  /** An attribution made before may be another now. */
  readonly onChange: () => void
  /** A connector has been blocked, or is so no longer. */
  readonly onBlock: (now: Connector) => void
}

/** Those that are blocked in one of them. */
function idsOfBlocked(...indexes: readonly ConnectorIndex[]): Set<string> {
  const ids = new Set<string>()
  for (const index of indexes) {
    for (const { tenant, name, blocked } of index.all()) {
      if (blocked) ids.add(connectorId(tenant, name))
    }
  }
  return ids
}

/** Some connectors (`tenant/name`) that are others than before, or gone. */
interface ConnectorsChange extends Step {
  readonly changed: readonly string[]
}

/** All connectors, as one process knows them. */
export class KnownConnectors {
  private known: ConnectorIndex | undefined
  /** Empty: there was none in Redis; `undefined`: not known. */
  private token: string | undefined
  private loading: Promise<void> | undefined
  /** What is announced while all are being read. */
  private heard: HeardChanges<ConnectorsChange> | undefined
  private hasAnswered = false
  /** That Redis has none is believed. */
  private mayBeGone = false

  constructor(private readonly context: ConnectorsContext) {}

  /** `undefined`: never loaded. */
  get index(): ConnectorIndex | undefined {
    return this.known
  }

  /** Whether Redis has told of them; else an earlier process knew them, and there may be more by now. */
  get areRead(): boolean {
    return this.hasAnswered
  }

  /** See {@link Directory.loadConnectors}. */
  load(): Promise<void> {
    this.loading ??= this.readUnlessCurrent().finally(() => {
      this.loading = undefined
      this.heard = undefined
    })
    return this.loading
  }

  /** Takes over what an earlier process knew, unless they are known by now. */
  remember(index: ConnectorIndex): void {
    if (this.known !== undefined) return
    this.known = index
    this.context.onChange()
  }

  /** What is known is to be replaced by what Redis has, even by nothing. */
  forget(): void {
    this.token = undefined
    this.mayBeGone = true
  }

  /** Takes over a change that was announced: what has changed is read, and all where a message was lost. */
  async changed(change: Extract<Change, { connectors: string }>): Promise<void> {
    const { connectors: token, previous, changed } = change
    if (this.heard) {
      this.heard.add({ previous: previous ?? '', token, changed })
    } else if (this.known !== undefined && token !== this.token) {
      if ((previous ?? '') === this.token) await this.follow(this.known, token, changed)
      else await this.load()
    }
  }

  private async follow(
    index: ConnectorIndex,
    token: string,
    changed: readonly string[],
  ): Promise<void> {
    // Set before the reading: the next change builds on this one, and its reading sees what it changed or later.
    this.token = token
    try {
      const before = new Map(changed.map((id) => [id, index.get(id)]))
      await this.readAgain(index, changed)
      this.context.onChange()
      this.tellBlocks(changed, (id) => before.get(id))
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
    // The answer to a question overtakes the news that is on its way.
    await this.context.catchUp()
    return (await this.tokenNow()) === this.token
  }

  /** Reads all, and again what has changed meanwhile; all once more in the background where not all of it was heard. */
  private async readAll(): Promise<void> {
    const { store, inBackground, registry, catchUp, onChange } = this.context
    const heard = (this.heard = new HeardChanges<ConnectorsChange>())
    let token = await this.tokenNow()
    const index = new ConnectorIndex()
    await readConnectors(store, (connector) => index.set(connector))
    const last = await this.tokenNow()
    if (!heard.lead(token, last)) await catchUp()
    const isWhole = heard.lead(token, last)
    // Afterwards: what was read may have been put there after all was lost.
    await registry.check()
    if (last === '' && (this.known?.size ?? 0) > 0 && !this.mayBeGone) {
      throw new Error(
        'the connectors are gone from Redis, though the registry is there: what is known of them holds',
      )
    }
    for (let news = [...heard.after(token)]; news.length > 0; news = [...heard.after(token)]) {
      await this.readAgain(index, [...new Set(news.flatMap(({ changed }) => changed))])
      token = news.at(-1)!.token
    }
    // From here on each change is followed by itself.
    this.heard = undefined
    const before = this.known
    this.known = index
    this.token = token
    this.mayBeGone = false
    onChange()
    if (before) this.tellBlocks(idsOfBlocked(before, index), (id) => before.get(id))
    if (!isWhole) setImmediate(() => inBackground(this.load()))
  }

  private tellBlocks(ids: Iterable<string>, before: (id: string) => Connector | undefined): void {
    for (const id of ids) {
      const now = this.known?.get(id)
      if (now && now.blocked?.since !== before(id)?.blocked?.since) this.context.onBlock(now)
    }
  }

  private async readAgain(index: ConnectorIndex, ids: readonly string[]): Promise<void> {
    for (const [id, connector] of await readSomeConnectors(this.context.store, ids)) {
      index.delete(id)
      if (connector) index.set(connector)
    }
  }

  private async tokenNow(): Promise<string> {
    const { client, keys } = this.context.store
    return (await client.get(keys.connectorsToken)) ?? ''
  }
}
