import { InputError } from '../base/errors'

/**
 * The names of our keys. All keys of one tenant share the hash tag `{id}`, shared structures a tag that
 * no tenant id can be (`{@…}`), so that one script works on Redis, Sentinel and Cluster alike.
 */
export class Keys {
  readonly tenants: string
  /** In the slot of the index of tenants, so that neither is lost without the other. */
  readonly epoch: string
  /** The checksum of the backup that is being restored; deleted at its end. */
  readonly restore: string
  readonly restricted: string
  readonly ownerNames: string
  readonly ownerIndex: string
  /** Counts the claims that were ever written. */
  readonly ownerVersion: string
  /** Domain → the tenant that it leaves, during a move. */
  readonly ownerMoves: string
  /** Names whose entry is being written or removed, and the leases of the commands that do it: see `pending.lua`. */
  readonly ownerPending: string
  readonly connectors: string
  readonly connectorsToken: string
  readonly connectorIdentities: string
  /** Who registered, changed and removed connectors. */
  readonly connectorsAudit: string
  /** Tenants added and removed: entries that outlive the tenant's own audit trail. */
  readonly tenantsAudit: string
  /** As {@link Keys.flushes}, of mail without a tenant. */
  readonly unattributedFlushes: string
  /** Tenant → when it last had unregistered mail. */
  readonly reported: string
  /** Since when mail is recorded, in ms. */
  readonly recordedSince: string
  /** Tenants for which a rule of unusual mail holds. */
  readonly unusualIndex: string
  /** The stream of all events. */
  readonly events: string
  /** Ids of events that are or were in the stream: each is put there once. */
  readonly eventIds: string
  /** Alerts of the last minutes, which later events of the same kind join. */
  readonly eventGroups: string
  /** The same alerts, by when the last event can join them. */
  readonly eventsDue: string
  /** What has begun and not ended yet. */
  readonly eventsOpen: string
  /** Tenants restricted in the last minutes → when. */
  readonly eventsRecent: string
  /** Restrictions among many, until they are lifted: whether their contacts are mailed. */
  readonly eventsMany: string
  /** The lock that the leader holds. */
  readonly leader: string
  /** What Redis lost when it went back in time, as processes have reported it: see `registry/lost-changes.ts`. */
  readonly lost: string
  /** Orders to the queues of all hosts, and the hosts: see `outbound/order-book.ts`. */
  readonly orders: string
  readonly queueHosts: string
  /** Case → when it was opened. */
  readonly caseIndex: string
  /** Tenants on probation → until when, in ms. */
  readonly onProbation: string
  /** Process → what it last said of itself: see `nodes/node.ts`. */
  readonly nodes: string
  /** Process → when it last said that, in ms, server time. */
  readonly nodesSeen: string
  /** Digest of a configuration that a process has in effect → its keys. */
  readonly nodesConfigs: string
  /** Hosts of which people were told that they are missing → the event. */
  readonly nodesMissing: string
  /** The pause of enforcement on all hosts. */
  readonly pause: string
  /** Who paused, resumed, and had a host forgotten. */
  readonly nodesAudit: string
  /** How much mail there was, over all tenants and processes: counters that never fall. */
  readonly totals: string
  /** Process → the last addition to {@link totals} that was counted. */
  readonly totalsAdded: string
  /** `kind<tab>severity` → how many events there were. */
  readonly eventCounts: string
  /** Alerts that a person has snoozed: see `alerts/snoozes.ts`. */
  readonly snoozed: string
  /** The pub/sub channel of every change. */
  readonly changes: string
  /** The pub/sub channel of entries of audit trails. */
  readonly audited: string

  /** @param prefix what every key starts with; must not hold `{` or `}`. */
  constructor(readonly prefix: string) {
    this.tenants = `${prefix}{@tenants}`
    this.epoch = `${prefix}{@tenants}:epoch`
    this.restore = `${prefix}{@tenants}:restore`
    this.restricted = `${prefix}{@restricted}`
    this.ownerNames = `${prefix}{@owners}:names`
    this.ownerIndex = `${prefix}{@owners}:index`
    this.ownerVersion = `${prefix}{@owners}:version`
    this.ownerMoves = `${prefix}{@owners}:moves`
    this.ownerPending = `${prefix}{@owners}:pending`
    this.connectors = `${prefix}{@connectors}`
    this.connectorsToken = `${prefix}{@connectors}:token`
    this.connectorIdentities = `${prefix}{@connectors}:identities`
    this.connectorsAudit = `${prefix}{@connectors}:audit`
    this.tenantsAudit = `${prefix}{@tenants}:audit`
    this.unattributedFlushes = `${prefix}{@unattributed}:flushes`
    this.reported = `${prefix}{@reported}`
    this.recordedSince = `${prefix}{@reported}:since`
    this.unusualIndex = `${prefix}{@reported}:unusual`
    this.events = `${prefix}{@events}`
    this.eventIds = `${prefix}{@events}:ids`
    this.eventGroups = `${prefix}{@events}:groups`
    this.eventsDue = `${prefix}{@events}:due`
    this.eventsOpen = `${prefix}{@events}:open`
    this.eventsRecent = `${prefix}{@events}:recent`
    this.eventsMany = `${prefix}{@events}:many`
    this.leader = `${prefix}{@events}:watch`
    this.lost = `${prefix}{@events}:lost`
    this.orders = `${prefix}{@events}:orders`
    this.queueHosts = `${prefix}{@events}:hosts`
    this.caseIndex = `${prefix}{@cases}`
    this.onProbation = `${prefix}{@restricted}:probation`
    this.nodes = `${prefix}{@nodes}`
    this.nodesSeen = `${prefix}{@nodes}:seen`
    this.nodesConfigs = `${prefix}{@nodes}:configs`
    this.nodesMissing = `${prefix}{@nodes}:missing`
    this.pause = `${prefix}{@nodes}:pause`
    this.nodesAudit = `${prefix}{@nodes}:audit`
    this.totals = `${prefix}{@totals}`
    this.totalsAdded = `${prefix}{@totals}:added`
    this.eventCounts = `${prefix}{@events}:counts`
    this.snoozed = `${prefix}{@events}:snoozed`
    this.changes = `${prefix}changes`
    this.audited = `${prefix}audit`
  }

  tenant(id: string): string {
    return `${this.prefix}{${id}}`
  }

  domains(id: string): string {
    return `${this.prefix}{${id}}:domains`
  }

  usage(id: string): string {
    return `${this.prefix}{${id}}:usage`
  }

  restriction(id: string): string {
    return `${this.prefix}{${id}}:restriction`
  }

  /** @param transaction Haraka's transaction uuid. */
  receipt(id: string, transaction: string): string {
    return `${this.prefix}{${id}}:receipt:${transaction}`
  }

  /** How many recipients a signature has proven to be those of a forward. @param hash of the signature. */
  signature(id: string, hash: string): string {
    return `${this.prefix}{${id}}:signature:${hash}`
  }

  /** @param hour hours since the epoch. */
  reportHour(id: string, hour: number): string {
    return `${this.prefix}{${id}}:report:h${hour}`
  }

  /** Mail by the minute. @param hour hours since the epoch. */
  reportMinutes(id: string, hour: number): string {
    return `${this.reportHour(id, hour)}:minutes`
  }

  /** @param day days since the epoch. */
  reportDay(id: string, day: number): string {
    return `${this.prefix}{${id}}:report:d${day}`
  }

  /** The domains that have no row of their own in a report, as a HyperLogLog. @param report key of the report. */
  reportOthers(report: string): string {
    return `${report}:others`
  }

  /** Samples of a day. @param day days since the epoch. */
  samples(id: string, day: number): string {
    return `${this.prefix}{${id}}:samples:d${day}`
  }

  /** The last flush of each process that was recorded. */
  flushes(id: string): string {
    return `${this.prefix}{${id}}:flushes`
  }

  /** When each connector was used last. */
  seen(id: string): string {
    return `${this.prefix}{${id}}:seen`
  }

  /** Mail without a tenant. @param day days since the epoch. */
  unattributedDay(day: number): string {
    return `${this.prefix}{@unattributed}:d${day}`
  }

  /** What mail of all tenants has shown on a day: see `reporting/mail-index.ts`. @param day days since the epoch. */
  mailIndex(day: number): string {
    return `${this.reported}:mail:d${day}`
  }

  /** Rules of unusual mail that hold now: `event since last`, the event raised, and when the rule held first and last. */
  unusual(id: string): string {
    return `${this.prefix}{${id}}:unusual`
  }

  /** @param number of the case among those of its tenant. */
  caseOf(id: string, number: number): string {
    return `${this.prefix}{${id}}:case:${number}`
  }

  /** The evidence that was frozen when the case was opened. */
  evidence(id: string, number: number): string {
    return `${this.prefix}{${id}}:case:${number}:evidence`
  }

  /** How many cases a tenant of that id has had; outlives the tenant. */
  caseCount(id: string): string {
    return `${this.prefix}{${id}}:cases`
  }

  /** The pub/sub channel on which processes confirm a change. @param id of the question. */
  confirmations(id: string): string {
    return `${this.prefix}confirm:${id}`
  }

  /** The answer of each host to an order. */
  orderAnswers(order: string): string {
    return `${this.orders}:${order}`
  }

  /** The ids of the messages that each host has listed to be dropped. */
  orderIds(order: string): string {
    return `${this.orders}:${order}:ids`
  }

  /** Who changed what about the tenant. */
  audit(id: string): string {
    return `${this.prefix}{${id}}:audit`
  }
}

/**
 * The prefix of the keys, as an operator gives it.
 *
 * @param option precedes the value in the message.
 * @throws {InputError} where it would make a hash tag of its own.
 */
export function keyPrefix(text: string, option = ''): string {
  if (!/[{}\s\p{C}]/u.test(text)) return text
  throw new InputError(
    `${option}"${text}" must hold no space, nothing invisible and none of { }, which mark the hash tag of a key`,
  )
}
