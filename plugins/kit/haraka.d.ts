// The part of Haraka's API that we use (Haraka 3.1.7 to 3.3.4: connection.js, transaction.js, plugins.js).
import type { Cluster } from 'node:cluster'
import type { DSN } from 'haraka-dsn'
import type { HarakaConfig } from 'haraka-config'
import type { HarakaAddress } from '../../src/names/envelope'
import type { MessageSource } from '../session/message'

/** Ends a hook: no arguments is CONT. */
export type Next = (code?: number, message?: string | DSN) => void

export interface ResultStore {
  add(plugin: { name: string }, result: Record<string, unknown>): void
  get(name: string): Record<string, unknown> | undefined
  /** Tells whoever listens, such as karma, of what is added; add() does so by itself. */
  redis_publish(name: string, result: Record<string, unknown>): void
}

/** An address in `rcpt_to`. */
export type EnvelopeRecipient = HarakaAddress & { format(): string }

export interface Transaction extends MessageSource {
  readonly uuid: string
  readonly mail_from: HarakaAddress
  readonly rcpt_to: EnvelopeRecipient[]
  /** Travels to the outbound queue as JSON. */
  readonly notes: Record<string, unknown>
  readonly results: ResultStore
  /** Set when the end of DATA was reached. */
  readonly data_post_start?: number | null
  /** Of the message, as far as it has been read. */
  readonly header?: {
    get(name: string): string
    /** Each field as it came, folded or not; without those beyond `[headers] max_lines` of connection.ini. */
    lines(): readonly string[]
  }
  /** `accepted`, `rejected` or `deferred` once the client has its answer. */
  readonly msg_status?: string
}

/** A transaction whose message is there. */
export interface MessageTransaction extends Transaction {
  readonly header: {
    get(name: string): string
    /** Each field as it stands, with its folded lines and line ends: what the next hop gets. */
    readonly header_list: string[]
  }
  /** All instances, in whatever case the name is. */
  remove_header(name: string): void
  add_header(name: string, value: string): void
  add_leading_header(name: string, value: string): void
}

/** A message, values to go with it, and the connection that it is about, in any order. */
export type LogData = string | Record<string, unknown> | Connection

type LogMethod = (...data: LogData[]) => void

export interface Connection {
  readonly uuid: string
  readonly remote: { readonly ip: string }
  readonly hello: { readonly host?: string | null }
  readonly notes: Record<string, unknown>
  readonly results: ResultStore
  readonly transaction: Transaction | null
  readonly tls: {
    readonly verified?: boolean
    readonly peerCertificate?: unknown
  }
  /** Haraka's socket: a TLSSocket on the SMTPS port, after STARTTLS one that holds it as `cleartext`. */
  readonly client: unknown
  relaying: boolean
}

export interface Server {
  /** Node's cluster module where Haraka runs with `nodes`. */
  readonly cluster?: Cluster
}

export interface Plugin {
  readonly name: string
  readonly config: HarakaConfig
  /** seconds; 0: Haraka sets no timer around our hooks */
  timeout: number
  register_hook(hook: string, method: string, priority?: number): void
  /** A module of Haraka's own; for plugins from packages only. */
  haraka_require(name: string): unknown
  loginfo: LogMethod
  lognotice: LogMethod
  logwarn: LogMethod
  logerror: LogMethod
  logcrit: LogMethod
}

/** Haraka's `outbound`. */
export interface Outbound {
  /** Writes a message into the queue. `next` gets OK when it is there, else why it is not. */
  send_email(
    from: string,
    to: string[],
    contents: string,
    next: (code?: number, message?: unknown) => void,
    options: { readonly origin: Plugin },
  ): void
  /** Writes the message of a transaction into the queue, once for each domain of its recipients. `next` as above. */
  send_trans_email(transaction: Transaction, next: (code?: number, message?: unknown) => void): void
}

/** What goes with a message in the outbound queue. */
export interface Todo {
  readonly domain: string
  readonly mail_from: HarakaAddress
  /** `transaction.notes` as they came out of the queue file. */
  readonly notes: Record<string, unknown>
}

/** A server that a message may be delivered to (haraka-net-utils `lib/HarakaMx.js`). */
export interface Mx {
  readonly exchange?: string
  readonly priority?: number
  /** The name that an address was found by. */
  readonly from_dns?: string
  /** Local address. */
  readonly bind?: string
  /** Name in EHLO; `undefined`: the one in config/me. */
  readonly bind_helo?: string | undefined
}

/** What Haraka's outbound queue finds servers with: the package `haraka-net-utils`. */
export interface NetUtils {
  /** MX records, else the addresses of the name itself; a null MX (RFC 7505) is an empty exchange. */
  get_mx(domain: string): Promise<Mx[]>
  /** An entry for each address of each exchange; names without addresses are left out. */
  resolve_mx_hosts(list: readonly Mx[]): Promise<Mx[]>
}

/** A message on its way out of the queue, for the recipients of one domain (Haraka `outbound/hmail.js`). */
export interface HMail {
  readonly todo: Todo
  readonly filename: string
  readonly path: string
  /** Of the queue file when it was read, in octets. */
  readonly file_size: number
  /** By priority, equal ones in any order; in the same array. */
  sort_mx(list: Mx[]): Mx[]
  /** Ends its way: the queue file goes, and others get their turn. */
  discard(): void
}

/** Ends an outbound hook: no arguments is CONT. */
export type OutboundNext = (code?: number, value?: unknown) => void
