/** What is older than this is asked for again in the background; until it is answered, what is known holds. In ms. */
export const AGE_LIMIT = 30_000
/** After a failure to ask, in ms. */
export const RETRY_AFTER = 2000

/** Spread over a quarter around `ms`, so that processes that started together do not ask together. */
export function jittered(ms: number): number {
  return ms * (0.75 + Math.random() / 2)
}

/** Does what nobody waits for; a failure is told, and what is known holds. */
export type InBackground = (work: Promise<unknown>) => void
