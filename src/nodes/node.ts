import { hostname } from 'node:os'
import { randomToken, type Mark } from '../records/token'

/** What a process is: a worker of a Haraka with `nodes`, the only process of one without, or a console. */
export type Role = 'worker' | 'single' | 'console'

/** What a process says of itself every few seconds; see `heartbeat.ts`. */
export interface NodeFacts {
  /** Of this process alone: see {@link newNodeId}. */
  readonly id: string
  readonly host: string
  readonly pid: number
  /** Number of the worker in its Haraka; 0: it is no worker. */
  readonly worker: number
  readonly role: Role
  /** It ends after its sessions, and follows no changes any more. */
  readonly draining: boolean
  /** When it was started, in ms since the epoch, by the clock of its host. */
  readonly started: number
  /** The clock of its host when it said so, in ms since the epoch. */
  readonly clock: number
  /** Identifies the run of the host's kernel and the namespace of `pid`: which processes can look for each other. */
  readonly boot: string
  readonly versions: { readonly plugin: string; readonly haraka: string; readonly node: string }
  /** Digest of its configuration ({@link NodeConfig}), and when its file was changed, in ms; 0: there is no file. */
  readonly config: {
    readonly digest: string
    /** The same for what may differ from host to host. */
    readonly ofHost: string
    readonly changed: number
  }
  /** The Redis that it was told to ask, without credentials. */
  readonly redis: string
  /** `[main] mode` and `override`; empty: none. */
  readonly mode: string
  readonly override: string
  /** The change of the pause that it has in effect; 0: none was ever made. */
  readonly pause: { readonly mark: Mark; readonly paused: boolean }
  readonly registry: { readonly state: string; readonly epoch: string }
  readonly connectors: number
  readonly tenants: number
  /** All changes until then have been applied. */
  readonly applied: Mark
  /** The latest change that was announced to it. */
  readonly heard: Mark
  /** Of the process since its start. */
  readonly counters: {
    /** Recipients of mail that a meter counts, by what became of them. */
    readonly accepted: number
    readonly refused: number
    readonly deferred: number
    /** Recipients that could not be decided, by a code. */
    readonly undecided: Readonly<Record<string, number>>
    readonly refundsWaiting: number
    readonly dropped: number
    readonly reportsWaiting: number
    /** Messages in its queue that restrictions hold now. */
    readonly held: number
  }
  /** Of the last whole minute, in ms; `null`: there was none. */
  readonly charge: { readonly p50: number; readonly p99: number } | null
  readonly loop: { readonly p99: number } | null
}

/** A process, as Redis knows it. */
export interface Node extends NodeFacts {
  /** When it last said so, in ms since the epoch, server time. */
  readonly seen: number
}

/** The keys of a configuration that do not have their default: section → key → value. See `process/node-config.ts`. */
export type NodeConfig = Readonly<Record<string, Readonly<Record<string, string>>>>

/** The id of a new process: its host and a random part. */
export function newNodeId(): string {
  return `${hostname()}/${randomToken()}`
}

/** The host of a process, by its id. */
export function hostOf(id: string): string {
  return id.slice(0, Math.max(0, id.lastIndexOf('/')))
}

/** How often a process says what it is, in ms. */
export const HEARTBEAT = 5000
/** A process that has not said anything for this long is late, in ms. */
export const LATE = 3 * HEARTBEAT
/** One that has not for this long is missing, in ms. */
export const MISSING = 60_000
/** Processes that are known at most. */
export const MOST_NODES = 10_000
