/** The seed of this run, which tests print. `SEED=n` repeats it. */
export const SEED = Number(process.env['SEED'] ?? Date.now() % 2 ** 31)

/** The number of random cases: `RUNS=n`, else `usual`. */
export function runs(usual: number): number {
  return Number(process.env['RUNS'] ?? usual)
}
