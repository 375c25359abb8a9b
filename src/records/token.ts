import { randomBytes } from 'node:crypto'

/** The random part of a token, made by the caller: Redis seeds its own generator alike for every script. */
export function randomToken(): string {
  return randomBytes(6).toString('hex')
}
