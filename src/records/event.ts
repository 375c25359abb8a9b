import type { NamedMeter } from '../mail/meters'
import type { Scope } from '../mail/scope'
import type { Trigger } from '../mail/trigger'

/** What every event has. */
interface Raised {
  /** `evt_…`; the same everywhere for the same event. */
  readonly id: string
  /** ms since the epoch, server time */
  readonly at: number
}

interface WindowFacts {
  /** ms */
  readonly window: number
  readonly limit: number
  readonly used: number
}

export interface MeterFacts {
  /** Absent: the usual one. */
  readonly meter?: NamedMeter
}

interface SenderFacts {
  readonly domain: string
  /** `tenant/name`, or empty. */
  readonly connector: string
  readonly ip: string
}

/** Where the mail of the 24 hours before came from: the first three of each kind, with messages/recipients. */
export interface SourcesFacts {
  /** `web 59/293; exchange 7/7` */
  readonly connectors: string
  readonly domains: string
  readonly addresses: string
}

interface WithSources {
  /** Added when the event is published; absent: no mail is recorded. */
  readonly sources?: SourcesFacts
}

/** A percentage of an allowance has been used. */
export interface AllowanceEvent extends Raised, WindowFacts, MeterFacts, SenderFacts, WithSources {
  readonly kind: 'allowance'
  readonly percent: number
}

/** A tenant has been restricted. */
export interface RestrictedEvent extends Raised, WithSources {
  readonly kind: 'restricted'
  readonly scope: Scope
  /** `automatic`: it tripped. */
  readonly by: string
  readonly reason: string
  /** `tenant:number` */
  readonly case: string
  /** What tripped it; absent: a person placed it. */
  readonly trigger?: Trigger
  /** All windows at that moment; with `trigger` only. */
  readonly windows?: readonly WindowFacts[]
  /** It tripped within probation. */
  readonly probation?: boolean
  /** Haraka's transaction uuid; with `trigger` only. */
  readonly transaction?: string
}

/** A restriction has been lifted. */
export interface LiftedEvent extends Raised {
  readonly kind: 'lifted'
  readonly by: string
  readonly reason: string
  /** Empty: the restriction is older than cases. */
  readonly case: string
  /** Id of the `restricted` event. */
  readonly resolves: string
  /** The smaller allowance, and until when it is in effect. */
  readonly probation?: { readonly limits: string; readonly until: number }
}

/** A rule of unusual mail has begun to hold. */
export interface UnusualEvent extends Raised {
  readonly kind: 'unusual'
  readonly rule: string
  /** What the rule found, in words. */
  readonly words: string
  readonly facts: Readonly<Record<string, string | number>>
}

/** Mail of an AUTH user matches no connector. */
export interface UnattributedEvent extends Raised {
  readonly kind: 'unattributed'
  readonly user: string
  /** The address that most of it came from; of an IPv6 address its /64. */
  readonly ip: string
  /** Of this day until then. */
  readonly messages: number
  /**
   * Number of connectors with a user who differs only in spelling: the mail is deferred. Absent: it passes. Their names are
   * not kept here, where a purge would not find them.
   */
  readonly connectors?: number
}

/** Every process of a host is missing. */
export interface HostMissingEvent extends Raised {
  readonly kind: 'host_missing'
  readonly host: string
  readonly processes: number
  /** When the last of them was seen, in ms since the epoch, server time. */
  readonly since: number
}

/** Enforcement is paused on all hosts: told when it begins, every hour, and before it ends. */
export interface PausedEvent extends Raised {
  readonly kind: 'paused'
  readonly occasion: 'begun' | 'goes on' | 'ends soon'
  readonly by: string
  readonly reason: string
  /** ms since the epoch, server time */
  readonly since: number
  readonly until: number
  /** What persons have restricted or blocked passes too. */
  readonly everything: boolean
  /** Id of the event of its beginning; absent: this one is. */
  readonly continues?: string
}

/** What another event began has ended. */
export interface ResolvedEvent extends Raised, MeterFacts, Partial<RedisTroubleFacts> {
  readonly kind: 'resolved'
  /** Id and kind of that event. */
  readonly resolves: string
  readonly of: 'allowance' | 'unusual' | 'redis_trouble' | 'host_missing' | 'paused'
  /** Of an allowance. */
  readonly percent?: number
  readonly window?: number
  /** Of unusual mail. */
  readonly rule?: string
  /** Of a missing host: a person has it forgotten; else it is back. */
  readonly forgotten?: boolean
  /** Of a pause: who has ended it, and why; absent: it has ended by itself. */
  readonly by?: string
  readonly why?: string
}

/** The usage of a window could not be read, and starts again at 0. */
export interface UnreadableEvent extends Raised {
  readonly kind: 'unreadable'
  /** ms */
  readonly window: number
  /** Absent: the usual one. `held`: recipients of messages that may be forwards. */
  readonly meter?: NamedMeter | 'held'
  /** Until when its recipients are deferred, in ms since the epoch, server time; absent: they are not. */
  readonly until?: number
}

/** Some of the tenants and connectors that a {@link WentBackEvent} is about. */
export interface Affected {
  readonly count: number
  /** The first few; `@connectors`, `@owners` or `@tenants`: something of all of them. */
  readonly subjects: readonly string[]
}

/** What Redis has lost by going back in time. */
export interface WentBack {
  /** The latest change that it still held then, of those affected; ms since the epoch, server time. 0: it held none. */
  readonly from: number
  /** The latest change that it is known to have lost, likewise. */
  readonly to: number
  /** Their restrictions or lifts were put back. */
  readonly putBack: Affected
  /** Their changes are known to processes, which apply them. */
  readonly lost: Affected
  /** Their changes are known to no process. */
  readonly missing: Affected
}

/** Redis has gone back in time, and a person must resolve what it has lost. */
export interface WentBackEvent extends Raised, WentBack {
  readonly kind: 'went_back'
}

/** What may be wrong with Redis: it gives no answer, it has lost the registry, it has gone back in time. */
export type RedisTrouble = 'away' | 'lost' | 'went_back'

interface RedisTroubleFacts {
  readonly trouble: RedisTrouble
  /** The Haraka that saw it. */
  readonly host: string
  /** Since when, in ms since the epoch by the clock of that host. */
  readonly from: number
}

/** Something is wrong with Redis. Each Haraka tells it by itself; it is not in the stream, which is in Redis. */
export interface RedisTroubleEvent extends Raised, RedisTroubleFacts {
  readonly kind: 'redis_trouble'
  /** Address of Redis. */
  readonly redis: string
  /** What it answered, or why it did not. */
  readonly reason: string
}

/** More tenants have been restricted within minutes than should have an alert each: how many, `count` of the alert says. */
export interface ManyRestrictedEvent extends Raised {
  readonly kind: 'many_restricted'
  /** When the first of them was placed, ms since the epoch, server time. */
  readonly from: number
  /** The latest few. */
  readonly tenants: readonly string[]
  /** What was changed of these tenants shortly before, by whom, in words; what most of them have in common first. */
  readonly changed: readonly string[]
}

/** A person tests whether alerts arrive. */
interface TestEvent extends Raised {
  readonly kind: 'test'
  readonly by: string
  /** The settings of `[alerts]` that it tests, see `alerts/test-alert.ts`; absent: those in effect. */
  readonly settings?: string
  /** The channels that it tests, and their settings; absent: those of `[alerts]`. */
  readonly channels?: Readonly<Record<string, string>>
}

/** An event as a script raises it (`records/lua/include/event.lua`). */
export type Event =
  | AllowanceEvent
  | RestrictedEvent
  | LiftedEvent
  | UnusualEvent
  | UnattributedEvent
  | ResolvedEvent
  | UnreadableEvent
  | WentBackEvent
  | ManyRestrictedEvent
  | HostMissingEvent
  | PausedEvent
  | RedisTroubleEvent
  | TestEvent

const KINDS: Readonly<Record<Event['kind'], true>> = {
  allowance: true,
  restricted: true,
  lifted: true,
  unusual: true,
  unattributed: true,
  resolved: true,
  unreadable: true,
  went_back: true,
  many_restricted: true,
  host_missing: true,
  paused: true,
  redis_trouble: true,
  test: true,
}
export const EVENT_KINDS = Object.keys(KINDS) as readonly Event['kind'][]

/** Alert severities, as Exchange Online names them, from the least on. */
export const SEVERITIES = ['Informational', 'Low', 'Medium', 'High'] as const
export type Severity = (typeof SEVERITIES)[number]

/** Until when alerts are not delivered (ms since the epoch, server time), and who said so. */
export interface Snoozed {
  readonly until: number
  readonly by: string
}

/** An event as it is kept in the stream, shown and delivered. */
export interface Alert {
  /** Id of the event. */
  readonly id: string
  /** Id of the first event of its group within 15 minutes: this one, or the one it has joined. */
  readonly alert: string
  readonly kind: Event['kind']
  readonly severity: Severity
  /** One line for people. */
  readonly title: string
  /** Empty: no tenant. */
  readonly tenant: string
  /** ISO 8601 UTC */
  readonly at: string
  /**
   * Whether the contact of the tenant has mail about its restriction, which is one of many: a person decides. Of a
   * restriction always `held`: what was decided since is in Redis. Absent: it is not one of many.
   */
  readonly contact?: 'held' | 'send' | 'drop'
  /** A person has snoozed such alerts of the tenant: it is not delivered. */
  readonly snoozed?: Snoozed
  /** Number of events in the alert. */
  readonly count: number
  readonly facts: Readonly<Record<string, unknown>>
  /** What to do next: commands and hints, one line each. */
  readonly next: readonly string[]
  /** Id of the event that this one ends. */
  readonly resolves?: string
  /** Id of the event that this one repeats. */
  readonly continues?: string
  /** Its page of the console: added when it is delivered; absent: `[console] public_url` is empty. */
  readonly url?: string
}
