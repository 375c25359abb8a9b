import type { TestRedis } from '../scripts/services/redis'

/** Another limiter, asked as its users ask it. */
export interface Peer {
  readonly what: string
  /** What it counts by and how it is asked, for who reads its figure. */
  readonly how: string
  /** Decisions in a batch. */
  readonly calls: number
  /** Makes so many decisions and returns how many there were a second. */
  readonly run: (calls: number) => Promise<number>
  readonly stop: () => Promise<void>
}

/** Starts a peer; or says why it cannot be measured here. */
export type StartPeer = (redis: TestRedis) => Promise<Peer | { what: string; skipped: string }>

/** Sessions that ask a policy server at a time: as many as the mail of this benchmark comes over. */
export const ASKING = 20
