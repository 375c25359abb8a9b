import { createHash, timingSafeEqual } from 'node:crypto'

/** What is kept of a secret that a browser sends. */
export function digest(secret: string): string {
  return createHash('sha256').update(secret).digest('base64')
}

/** Compares secrets in a time that does not tell how much of them is the same. */
export function sameSecret(given: string, secret: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(secret)]
  return a.length === b.length && timingSafeEqual(a, b)
}
