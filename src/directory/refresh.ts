/** Cached data older than this is read again in the background, and stays in effect until then. In ms. */
export const AGE_LIMIT = 30_000
/** Wait after a failed read, in ms. */
export const RETRY_AFTER = 2000

/** Reads until a change is found that Redis is known to hold. */
export const MOST_READS = 3

/** 75 to 125 % of `ms`, so that processes that started together do not read together. */
export function jittered(ms: number): number {
  return ms * (0.75 + Math.random() / 2)
}

/** Runs work that no caller waits for; a failure is reported. */
export type InBackground = (work: Promise<unknown>) => void
