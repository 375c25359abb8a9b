import type { Span } from './clock'
import type { Stall } from './witness'

export type SenderKind = 'registered' | 'unregistered' | 'null'

/** One command of a session, or its opening (`CONNECT`), and the reply. Times in ms of the shared clock. */
export interface Exchange {
  readonly verb: 'CONNECT' | 'EHLO' | 'MAIL' | 'RCPT' | 'DATA' | 'DOT' | 'RSET' | 'QUIT'
  readonly sent: number
  /** The time of the reply or of the end of the connection; `undefined`: neither came. */
  answered?: number
  /** As received; `undefined`: there was none. */
  reply?: string
}

/**
 * How a transaction ended, as seen by its client:
 * - `accepted`: 250 after the final dot
 * - `returned`: refused, reset or left before it could be accepted
 * - `left`: the client left right after the final dot, with a FIN (`left`) or a RST (`torn`)
 * - `broken`: the connection ended by itself
 */
export type Ending = 'accepted' | 'returned' | 'left' | 'torn' | 'broken'

/** One mail transaction. */
export interface Transaction {
  /** Haraka's uuid of it. */
  readonly id: string
  readonly tenant: string
  readonly sender: SenderKind
  readonly mail: Exchange
  readonly rcpts: Exchange[]
  /** The instruction to the sink. */
  readonly sink: 'take' | 'refuse' | 'defer'
  /** Its reply to the final dot, if any. */
  dot?: Exchange
  ending?: Ending
  endedAt?: number
}

/** One SMTP session. */
export interface SessionRecord {
  readonly tenant: string
  /** The worker's pid; 0 until it is known. */
  pid: number
  readonly exchanges: Exchange[]
  readonly transactions: Transaction[]
}

/** A fault of the site. */
export interface FaultRecord {
  readonly kind: string
  readonly lane: string
  /** Its choice, in words. */
  detail: string
  readonly from: number
  to: number
  /** The reason that it was skipped. */
  skipped?: string
}

/** A restriction placed or lifted by hand, from before the request until its confirmation. */
export interface DeskAct extends Span {
  readonly act: 'block' | 'unblock' | 'unblock --keep-usage'
  readonly tenant: string
}

/** Redis came back with an older copy of its data: what it answered from `from` to `killed` is lost. */
export interface Return extends Span {
  readonly killed: number
}

/** A worker that we killed. */
export interface Kill {
  readonly pid: number
  readonly at: number
}

/** The allowance of each tenant: recipients in a window longer than any run. */
export interface Allowances {
  readonly unregistered: number
  readonly null: number
  /** Proven forwards. Its other mail may be a forward, and is held until the message is there. */
  readonly forwarded?: number
}

/** Everything that happened in a run, as seen from outside. */
export interface History {
  readonly allowances: Readonly<Record<string, Allowances>>
  readonly sessions: SessionRecord[]
  readonly faults: FaultRecord[]
  readonly acts: DeskAct[]
  readonly kills: Kill[]
  readonly graceful: Span[]
  /** The times from which answered writes may be lost: Redis was killed before they were on disk. */
  readonly lossy: Span[]
  readonly returns: Return[]
  /** Times in which Redis was disturbed. */
  readonly troubles: Span[]
  readonly stalls: Stall[]
  /** Errors of the suite itself, and faults without recovery. */
  readonly complaints: string[]
}

export function newHistory(allowances: History['allowances']): History {
  return {
    allowances,
    ...{ sessions: [], faults: [], acts: [], kills: [], graceful: [] },
    ...{ lossy: [], returns: [], troubles: [], stalls: [], complaints: [] },
  }
}

export function transactionsOf({ sessions }: History): Transaction[] {
  return sessions.flatMap(({ transactions }) => transactions)
}

/** Recipients that were accepted. */
export function accepted({ rcpts }: Transaction): number {
  return rcpts.filter(({ reply }) => reply?.startsWith('250')).length
}
