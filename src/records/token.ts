import { randomBytes } from 'node:crypto'

/** The random part that a caller brings to a token: Redis seeds its own generator alike for every script. */
export function randomToken(): string {
  return randomBytes(6).toString('hex')
}
