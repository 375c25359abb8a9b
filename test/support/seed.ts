/** The seed of this run; tests print it. `SEED=n` runs the same again. */
export const SEED = Number(process.env['SEED'] ?? Date.now() % 2 ** 31)

/** How many random cases are tried: `RUNS=n`, else `usual`. */
export function runs(usual: number): number {
  return Number(process.env['RUNS'] ?? usual)
}
