import { OpenCases } from '../cases/open-cases'
import { readConnectors } from '../registry/connector-reader'
import { readLost } from '../registry/lost-changes'
import type { Store } from '../store/store'
import { Kept } from './kept'
import type { Part } from './part'
import { single, type Sample, type Samples } from './text'

/** Connectors, cases, and what Redis has lost. */
export class Registry implements Part {
  private readonly openCases: Kept<number>
  private readonly connectors: Kept<readonly Sample[]>
  /** The connectors that were counted: their token. */
  private counted: string | null | undefined
  private states: readonly Sample[] = []

  /** @param patience how long to wait for what may take long, in ms. */
  constructor(
    private readonly store: Store,
    patience: number,
  ) {
    const cases = new OpenCases(store)
    this.openCases = new Kept(() => cases.count(), patience)
    this.connectors = new Kept(() => this.countConnectors(), patience)
  }

  async read(): Promise<Samples> {
    const [lost, cases, connectors = []] = await Promise.all([
      readLost(this.store),
      this.openCases.latest(),
      this.connectors.latest(),
    ])
    const subjects = [...(lost?.lost ?? []), ...(lost?.missing ?? [])].map(({ subject }) => subject)
    return {
      registry_went_back: single(new Set(subjects).size),
      ...(cases !== undefined && { cases_open: single(cases) }),
      connectors,
    }
  }

  /** Reads them again only where one was changed. */
  private async countConnectors(): Promise<readonly Sample[]> {
    const token = await this.store.client.get(this.store.keys.connectorsToken)
    if (token === this.counted) return this.states
    const counts = { active: 0, disabled: 0, blocked: 0 }
    await readConnectors(this.store, ({ enabled, blocked }) => {
      counts[blocked ? 'blocked' : enabled ? 'active' : 'disabled']++
    })
    this.counted = token
    this.states = Object.entries(counts).map(([state, value]) => ({ labels: { state }, value }))
    return this.states
  }
}
