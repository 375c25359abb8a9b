/** How long messages through servers side by side are measured. */
export interface MailEffort {
  /** How often all servers are started anew. */
  readonly starts: number
  /** Rounds of paired batches in each start. */
  readonly rounds: number
  /** In a batch. */
  readonly messages: number
  /** Of each kind before the first batch: a Haraka that has run for a while is compiled where it is used. */
  readonly warmUp: number
}

/** How long instructions are counted. */
export interface InstructionsEffort {
  /** Log levels of Haraka. */
  readonly levels: readonly string[]
  readonly batches: number
  /** Batches before these. */
  readonly warmUp: number
  /** In a batch. */
  readonly messages: number
}

/** How long each section measures. */
export interface Effort {
  readonly mail: MailEffort
  readonly senders: MailEffort
  readonly forwarded: MailEffort
  readonly profile: { readonly messages: number }
  readonly instructions: InstructionsEffort
  readonly charges: { readonly rounds: number; readonly calls: number }
  /** Sizes of what is compared. */
  readonly tenants: readonly number[]
  readonly domains: readonly number[]
  readonly connectors: number
  /** How long they are compared. */
  readonly scale: { readonly rounds: number; readonly calls: number; readonly messages: number }
  /** Tenants whose mail a worker has seen when its memory is measured. */
  readonly workerTenants: readonly number[]
  readonly loading: { readonly runs: number }
  /** Of mail alone, and of mail while each kind is added. */
  readonly growth: { readonly seconds: number }
  readonly propagation: { readonly changes: number }
}

/** About ten minutes on two cores, and as long again for the instructions. */
export const FULL: Effort = {
  mail: { starts: 5, rounds: 12, messages: 600, warmUp: 4_000 },
  senders: { starts: 5, rounds: 8, messages: 600, warmUp: 2_000 },
  forwarded: { starts: 5, rounds: 8, messages: 400, warmUp: 2_000 },
  profile: { messages: 6_000 },
  instructions: { levels: ['notice', 'info'], batches: 4, warmUp: 10, messages: 500 },
  charges: { rounds: 9, calls: 40_000 },
  tenants: [1, 1_000, 1_000_000],
  domains: [1, 1_000, 100_000],
  connectors: 100_000,
  scale: { rounds: 13, calls: 6_000, messages: 600 },
  workerTenants: [1_000, 20_000, 100_000],
  loading: { runs: 5 },
  growth: { seconds: 5 },
  propagation: { changes: 200 },
}

/** Under a minute: whether it runs, and the rough picture. */
export const QUICK: Effort = {
  mail: { starts: 1, rounds: 4, messages: 300, warmUp: 600 },
  senders: { starts: 1, rounds: 4, messages: 200, warmUp: 400 },
  forwarded: { starts: 1, rounds: 4, messages: 200, warmUp: 400 },
  profile: { messages: 1_000 },
  instructions: { levels: ['notice'], batches: 2, warmUp: 3, messages: 100 },
  charges: { rounds: 3, calls: 15_000 },
  tenants: [1, 1_000, 100_000],
  domains: [1, 1_000, 100_000],
  connectors: 100_000,
  scale: { rounds: 3, calls: 3_000, messages: 200 },
  workerTenants: [1_000, 12_000, 20_000],
  loading: { runs: 1 },
  growth: { seconds: 2 },
  propagation: { changes: 20 },
}
