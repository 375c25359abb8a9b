import type { TestRedis } from '../scripts/services/redis'
import type { Contender } from './contender'

/** Another limiter, asked as its users ask it. */
export interface Peer extends Omit<Contender, 'rates' | 'cpu'> {
  readonly how: string
  readonly stop: () => Promise<void>
}

/** Starts a peer; or says why it cannot be measured here. */
export type StartPeer = (redis: TestRedis) => Promise<Peer | { what: string; skipped: string }>

/** Sessions that ask a policy server at a time: as many as the mail of this benchmark comes over. */
export const ASKING = 20
