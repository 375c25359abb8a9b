/** How long a run takes, and how large it is. */
export interface Plan {
  readonly seed: number
  readonly tenants: number
  readonly sessions: number
  /** Of each Haraka. */
  readonly workers: number
  /** ms, of each Haraka, before anything counts. */
  readonly warmUp: number
  readonly rounds: number
  /** In so many rounds one tenant is restricted and set free. */
  readonly roundsAnEpisode: number
  /** What the tenant that is taken over may send to. */
  readonly allowance: number
  /** ms of a round: under full load, the plugin and Haraka alone; then each at a given rate. */
  readonly slices: { readonly full: number; readonly alone: number; readonly paced: number }
  /** Idle connections; 0: no flood. */
  readonly idle: number
  /** `[redis] command_timeout`, in ms. */
  readonly commandTimeout: number
}

export const ROUNDS_A_MINUTE = 4

/** A run of so many minutes, after the warm-up and before the flood. */
export function planFor(minutes: number, seed: number): Plan {
  return {
    seed,
    tenants: 50,
    sessions: 200,
    workers: 2,
    warmUp: 15_000,
    rounds: minutes * ROUNDS_A_MINUTE,
    roundsAnEpisode: ROUNDS_A_MINUTE,
    allowance: 200,
    // Together a quarter of a minute, but for the moments in between.
    slices: { full: 8_500, alone: 3_000, paced: 1_750 },
    idle: 5_000,
    // The shipped one.
    commandTimeout: 500,
  }
}
