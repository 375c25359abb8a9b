import type { NamedMeter } from '../mail/meters'
import type { Scope } from '../mail/scope'
import type { Trigger } from '../mail/trigger'

/** What every event has. */
interface Raised {
  /** `evt_…`; the same event has the same id wherever it turns up. */
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

/** An allowance is used up to this percent. */
export interface AllowanceEvent extends Raised, WindowFacts, MeterFacts, SenderFacts {
  readonly kind: 'allowance'
  readonly percent: number
}

/** A tenant has been restricted. */
export interface RestrictedEvent extends Raised {
  readonly kind: 'restricted'
  readonly scope: Scope
  /** `automatic`: it tripped. */
  readonly by: string
  readonly reason: string
  /** `tenant:number` */
  readonly case: string
  /** What tripped it; absent where it was placed by hand. */
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
  /** Empty where it was restricted before there were cases. */
  readonly case: string
  /** Id of the `restricted` event. */
  readonly resolves: string
  /** Until when which smaller allowance holds. */
  readonly probation?: { readonly limits: string; readonly until: number }
}

/** A rule of unusual mail has begun to hold. */
export interface UnusualEvent extends Raised {
  readonly kind: 'unusual'
  readonly rule: string
  /** What it saw, in words. */
  readonly words: string
  readonly facts: Readonly<Record<string, string | number>>
}

/** Mail of an AUTH user belongs to no tenant. */
export interface UnattributedEvent extends Raised {
  readonly kind: 'unattributed'
  readonly user: string
  /** The address that most of it came from; an IPv6 address is its /64. */
  readonly ip: string
  /** So many by then, of this day. */
  readonly messages: number
  /**
   * So many connectors have a user who differs in its spelling only: the mail is deferred. Absent: it passes. Which they are
   * is not kept here, where nothing is found of a tenant that is to be erased.
   */
  readonly connectors?: number
}

/** What another event said has ended. */
export interface ResolvedEvent extends Raised, MeterFacts {
  readonly kind: 'resolved'
  /** Id and kind of that event. */
  readonly resolves: string
  readonly of: 'allowance' | 'unusual'
  /** Of an allowance. */
  readonly percent?: number
  readonly window?: number
  /** Of what was unusual. */
  readonly rule?: string
}

/** What Redis held of a window could not be read, and starts afresh. */
export interface UnreadableEvent extends Raised {
  readonly kind: 'unreadable'
  /** ms */
  readonly window: number
  /** Absent: the usual one. `held`: recipients of messages that may be forwards. */
  readonly meter?: NamedMeter | 'held'
  /** Until when recipients of the meter are deferred, in ms since the epoch, server time; absent: they are not. */
  readonly until?: number
}

/** Somebody tries whether alerts arrive. */
interface TestEvent extends Raised {
  readonly kind: 'test'
  readonly by: string
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
  | TestEvent

/** Alert severities, as Exchange Online names them. */
export type Severity = 'Informational' | 'Low' | 'Medium' | 'High'

/** What is kept in the stream of events, shown and delivered. */
export interface Alert {
  /** Id of the event. */
  readonly id: string
  /** Id of the alert that this is, or that it has joined: the first event of its kind within 15 minutes. */
  readonly alert: string
  readonly kind: Event['kind']
  readonly severity: Severity
  /** One line for people. */
  readonly title: string
  /** Empty: it concerns none. */
  readonly tenant: string
  /** ISO 8601 UTC */
  readonly at: string
  /** How many events the alert stands for. */
  readonly count: number
  readonly facts: Readonly<Record<string, unknown>>
  /** What to do next: commands and hints, one line each. */
  readonly next: readonly string[]
  /** Id of the event that this one ends. */
  readonly resolves?: string
}
