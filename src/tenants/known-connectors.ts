import type { Store } from '../store/store'
import type { InBackground } from './aging'
import type { Change } from './changes'
import { ConnectorIndex } from './connector-index'
import { readConnectors, readSomeConnectors } from './connector-reader'

/** What the connectors of a process need of the directory that they are part of. */
export interface ConnectorsContext {
  readonly store: Store
  readonly inBackground: InBackground
  /** The connectors are there for the first time. */
  readonly onReady: (connectors: number) => void
  /** An attribution made before may be another now. */
  readonly onChange: () => void
}

/** All connectors, as one process knows them. */
export class KnownConnectors {
  private known: ConnectorIndex | undefined
  private token: string | null = null
  private loading: Promise<void> | undefined

  constructor(private readonly context: ConnectorsContext) {}

  /** `undefined`: never loaded. */
  get index(): ConnectorIndex | undefined {
    return this.known
  }

  /** See {@link Directory.loadConnectors}. */
  load(): Promise<void> {
    this.loading ??= this.readAll().finally(() => {
      this.loading = undefined
    })
    return this.loading
  }

  /** Takes over a change that was announced: what has changed is read, and all where a message was lost. */
  async changed(change: Extract<Change, { connectors: string }>): Promise<void> {
    const { store, onChange } = this.context
    if (this.known === undefined || change.connectors === this.token) return
    if (change.previous !== this.token || this.loading) {
      await this.loading
      await this.load()
      return
    }
    // Set before the reading: the next change builds on this one, and its reading sees what it changed or later.
    this.token = change.connectors
    try {
      const connectors = await readSomeConnectors(store, change.changed)
      for (const [id, connector] of connectors) {
        this.known.delete(id)
        if (connector) this.known.set(connector)
      }
      onChange()
    } catch (error) {
      this.token = null
      throw error
    }
  }

  private async readAll(): Promise<void> {
    const { store, inBackground, onReady, onChange } = this.context
    const tokenNow = () => store.client.get(store.keys.connectorsToken)
    const token = await tokenNow()
    if (this.known !== undefined && token === this.token) return
    const index = new ConnectorIndex()
    await readConnectors(store, (connector) => index.set(connector))
    const first = this.known === undefined
    this.known = index
    // A change during the reading has another token, and makes us read again.
    this.token = token
    onChange()
    if (first) onReady(index.size)
    if ((await tokenNow()) !== token) setImmediate(() => inBackground(this.load()))
  }
}
