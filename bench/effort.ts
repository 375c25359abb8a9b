/** How long each section measures. */
export interface Effort {
  readonly mail: {
    /** How often all servers are started anew. */
    readonly starts: number
    /** Rounds of paired batches in each start. */
    readonly rounds: number
    /** In a batch. */
    readonly messages: number
  }
  readonly charges: { readonly rounds: number; readonly calls: number }
  readonly tenants: {
    readonly counts: readonly number[]
    readonly rounds: number
    readonly calls: number
  }
  readonly loading: {
    readonly domains: number
    readonly connectors: number
    readonly runs: number
  }
  readonly propagation: { readonly changes: number }
}

/** About five minutes on two cores. */
export const FULL: Effort = {
  mail: { starts: 5, rounds: 12, messages: 600 },
  charges: { rounds: 9, calls: 40_000 },
  tenants: { counts: [1, 1_000, 100_000], rounds: 9, calls: 20_000 },
  loading: { domains: 100_000, connectors: 100_000, runs: 5 },
  propagation: { changes: 200 },
}

/** Under a minute: whether it runs, and the rough picture. */
export const QUICK: Effort = {
  mail: { starts: 1, rounds: 4, messages: 300 },
  charges: { rounds: 3, calls: 15_000 },
  tenants: { counts: [1, 1_000, 100_000], rounds: 3, calls: 8_000 },
  loading: { domains: 100_000, connectors: 100_000, runs: 1 },
  propagation: { changes: 20 },
}
