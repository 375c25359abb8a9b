import type { Span } from './clock'
import type { Stall } from './witness'

export type SenderKind = 'registered' | 'unregistered' | 'null'

/** One command of a session, or its opening (`CONNECT`), and what was answered. Times in ms of the shared clock. */
export interface Exchange {
  readonly verb: 'CONNECT' | 'EHLO' | 'MAIL' | 'RCPT' | 'DATA' | 'DOT' | 'RSET' | 'QUIT'
  readonly sent: number
  /** When the answer, or the end of the connection, came; `undefined`: neither did. */
  answered?: number
  /** As it came; `undefined`: there was none. */
  reply?: string
}

/**
 * How a transaction ended, as its client knows:
 * - `taken`: 250 after the final dot
 * - `returned`: refused, reset or left before it could be taken
 * - `left`: the client went away right behind the final dot, with a FIN (`left`) or a RST (`torn`)
 * - `broken`: the connection ended by itself
 */
export type Ending = 'taken' | 'returned' | 'left' | 'torn' | 'broken'

/** One mail transaction. */
export interface Transaction {
  /** Haraka's uuid of it. */
  readonly id: string
  readonly tenant: string
  readonly sender: SenderKind
  readonly mail: Exchange
  readonly rcpts: Exchange[]
  /** What the sink was asked to do. */
  readonly sink: 'take' | 'refuse' | 'defer'
  /** Its answer to the final dot, where one came. */
  dot?: Exchange
  ending?: Ending
  endedAt?: number
}

/** One SMTP session. */
export interface SessionRecord {
  readonly tenant: string
  /** Of the worker; 0 until it is known. */
  pid: number
  readonly exchanges: Exchange[]
  readonly transactions: Transaction[]
}

/** What was done to the site. */
export interface FaultRecord {
  readonly kind: string
  readonly lane: string
  /** Its choice, in words. */
  detail: string
  readonly from: number
  to: number
  /** It could not be done, and why. */
  skipped?: string
}

/** A restriction placed or lifted by a person, from before it was asked for until it was confirmed. */
export interface DeskAct extends Span {
  readonly act: 'block' | 'unblock' | 'unblock --keep-usage'
  readonly tenant: string
}

/** A worker that we killed. */
export interface Kill {
  readonly pid: number
  readonly at: number
}

/** What each tenant may have; recipients in a window that is longer than any run. */
export interface Allowances {
  readonly unregistered: number
  readonly null: number
  /** Proven forwards; its other mail may be one, and is held until it is there. */
  readonly forwarded?: number
}

/** All that happened in a run, as seen from outside. */
export interface History {
  readonly allowances: Readonly<Record<string, Allowances>>
  readonly sessions: SessionRecord[]
  readonly faults: FaultRecord[]
  readonly acts: DeskAct[]
  readonly kills: Kill[]
  readonly graceful: Span[]
  /** Answered writes that Redis had not yet brought to its disk when it was killed may be lost: when. */
  readonly lossy: Span[]
  /** Times in which Redis could not be reached as usual. */
  readonly troubles: Span[]
  readonly stalls: Stall[]
  /** What went wrong in the suite itself, or did not become well again. */
  readonly complaints: string[]
}

export function newHistory(allowances: History['allowances']): History {
  return {
    allowances,
    ...{ sessions: [], faults: [], acts: [], kills: [], graceful: [] },
    ...{ lossy: [], troubles: [], stalls: [], complaints: [] },
  }
}

export function transactionsOf({ sessions }: History): Transaction[] {
  return sessions.flatMap(({ transactions }) => transactions)
}

/** Recipients that were accepted. */
export function accepted({ rcpts }: Transaction): number {
  return rcpts.filter(({ reply }) => reply?.startsWith('250')).length
}
