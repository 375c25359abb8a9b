// The part of Haraka's API that this plugin uses (Haraka 3.1.7 to 3.3.4: connection.js, transaction.js, plugins.js).
import type { Cluster } from 'node:cluster'
import type { HarakaConfig } from 'haraka-config'
import type { HarakaAddress } from '../../src/names/envelope'

/** Ends a hook: no arguments is CONT. What may follow the code depends on the hook. */
export type Next = (code?: number, value?: unknown) => void

export interface ResultStore {
  add(plugin: { name: string }, result: Record<string, unknown>): void
  get(name: string): Record<string, unknown> | undefined
  /** Tells listeners such as karma what is added; add() does so by itself. */
  redis_publish(name: string, result: Record<string, unknown>): void
}

/** An address in `rcpt_to`. */
export type EnvelopeRecipient = HarakaAddress & { format(): string }

/** What this plugin reads of a transaction at the end of DATA. */
export interface MessageSource {
  /** haraka-message-stream: has one reader at a time. */
  readonly message_stream: {
    pipe(destination: NodeJS.WritableStream): unknown
    /** Ends the reading at once. */
    unpipe(): void
  }
  /** Octets received in DATA. */
  readonly data_bytes: number
}

export interface HarakaTransaction extends MessageSource {
  readonly uuid: string
  readonly mail_from: HarakaAddress
  readonly rcpt_to: EnvelopeRecipient[]
  /** Travels to the outbound queue as JSON. */
  readonly notes: Record<string, unknown>
  readonly results: ResultStore
  /** Set when the end of DATA was reached. */
  readonly data_post_start?: number | null
  /** Of the message, as far as it has been received. */
  readonly header?: {
    get(name: string): string
    /** Each field as received, folded or not; without those beyond `[headers] max_lines` of connection.ini. */
    readonly header_list: readonly string[]
  }
  /** `accepted`, `rejected` or `deferred` once the client has its answer. */
  readonly msg_status?: string
}

/** A transaction whose message has been received. */
export interface MessageTransaction extends HarakaTransaction {
  readonly header: {
    get(name: string): string
    /** Each field with its folded lines and line ends, as the next hop gets it. */
    readonly header_list: string[]
  }
  /** All instances; the case of the name does not matter. */
  remove_header(name: string): void
  add_header(name: string, value: string): void
  add_leading_header(name: string, value: string): void
}

/** A message, its values, and the connection that it is about, in any order. */
export type LogData = string | Record<string, unknown> | Connection

/** Haraka's `logger`. */
export interface HarakaLogger {
  readonly LOGINFO: number
  readonly formats: Readonly<Record<'DEFAULT' | 'LOGFMT' | 'JSON', string>>
  /** One of them. */
  readonly format: string
  /** By the level in effect, which is one for all plugins. */
  would_log(level: number): boolean
}

type LogMethod = (...data: LogData[]) => void

export interface Connection {
  readonly uuid: string
  readonly remote: { readonly ip: string }
  readonly hello: { readonly host?: string | null }
  readonly notes: Record<string, unknown>
  readonly results: ResultStore
  readonly transaction: HarakaTransaction | null
  readonly tls: {
    readonly verified?: boolean
    readonly peerCertificate?: unknown
  }
  /** Haraka's socket: a TLSSocket on the SMTPS port; after STARTTLS one that holds it as `cleartext`. */
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
  /** Seconds; 0: Haraka sets no timer around the hooks of this plugin. */
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
  /** Writes a message into the queue. `next` gets OK, or the reason why it was not queued. */
  send_email(
    from: string,
    to: string[],
    contents: string,
    next: (code?: number, message?: unknown) => void,
    options: { readonly origin: Plugin },
  ): void
  /** Writes the message of a transaction into the queue, once per domain of its recipients. `next` as above. */
  send_trans_email(
    transaction: HarakaTransaction,
    next: (code?: number, message?: unknown) => void,
  ): void
}

/** What the outbound queue stores with a message. */
export interface Todo {
  readonly domain: string
  readonly mail_from: HarakaAddress
  /** When the message came, in ms since the epoch, by the clock of this host. */
  readonly queue_time: number
  /** `transaction.notes` as read from the queue file. */
  readonly notes: Record<string, unknown>
}

/** A server that may get a message (haraka-net-utils `lib/HarakaMx.js`). */
export interface Mx {
  readonly exchange?: string
  readonly priority?: number
  /** The name that resolved to the address. */
  readonly from_dns?: string
  /** Local address. */
  readonly bind?: string
  /** Name in EHLO; `undefined`: the one in config/me. */
  readonly bind_helo?: string | undefined
}

/** The package `haraka-net-utils`, by which Haraka's outbound queue finds servers. */
export interface NetUtils {
  /** MX records, else the addresses of the name itself; a null MX (RFC 7505) is an empty exchange. */
  get_mx(domain: string): Promise<Mx[]>
  /** One entry per address of each exchange; names without addresses are left out. */
  resolve_mx_hosts(list: readonly Mx[]): Promise<Mx[]>
}

/** A delivery attempt of a queued message, for the recipients of one domain (Haraka `outbound/hmail.js`). */
export interface HMail {
  readonly todo: Todo
  readonly filename: string
  readonly path: string
  /** Of the queue file when it was read, in octets. */
  readonly file_size: number
  /** By priority, equal ones in any order; sorts in place. */
  sort_mx(list: Mx[]): Mx[]
  /** Removes the queue file and ends the attempt. */
  discard(): void
}
