import { randomBytes } from 'node:crypto'

/** The random part of a token, made by the caller: Redis seeds its own generator alike for every script. */
export function randomToken(): string {
  return randomBytes(6).toString('hex')
}

/** The time of a token in µs, by the server's clock. In one tenant each is later than those before. */
export type Mark = number

/** The time of the latest of some tokens; 0: none has one. */
export function markOf(...tokens: readonly (string | null | undefined)[]): Mark {
  return Math.max(0, ...tokens.map((token) => Number(/^\d+/.exec(token ?? '')?.[0] ?? 0)))
}
