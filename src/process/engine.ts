import { setTimeout as sleep } from 'node:timers/promises'
import type { ChargeResult } from '../allowance/charge-answer'
import { Ledger } from '../allowance/ledger'
import { changedSince } from '../audit/lately'
import { followAudit, type PublishedEntry } from '../audit/follow'
import { Cases } from '../cases/cases'
import type { Config } from './config'
import { messageOf } from '../base/errors'
import type { Alert, WentBack } from '../records/event'
import { followClock, stepText } from '../allowance/clock-steps'
import { Forwarder } from '../events/forwarder'
import type { ReadChanges } from '../events/many'
import { closeGroups, forwardLeft } from './duties'
import { forgetOldReport, tellLost } from './lost-duty'
import { Leader } from './leader'
import { newNodeId } from '../nodes/node'
import { HeldCount } from '../outbound/held-count'
import { Flusher } from '../reporting/flusher'
import { Recorder } from '../reporting/recorder'
import { Tally } from '../reporting/tally'
import { Totals } from '../reporting/totals'
import { Restrictions } from '../allowance/restriction'
import { connect, connectSubscriber } from '../store/connection'
import { Keys } from '../store/keys'
import { Outbox, type Errand } from '../store/outbox'
import { Store, type Client } from '../store/store'
import { Directory, type DirectoryEvents } from '../directory/directory'
import { ensureEpoch } from '../registry/epoch'
import { RegistryUnusable, type RegistryState } from '../directory/registry-monitor'
import type { Refund } from '../allowance/charges'

/** At most this many refunds and index entries wait for Redis. */
const OUTBOX_BOUND = 10_000
/** The lane of the index of restricted tenants; no tenant id begins like this. */
const INDEX_LANE = '@restricted'

/** A process that drains its sessions collects reports for this long before it flushes them, in ms. */
const DRAINING = 100

/** This long after a restriction most messages of that moment have ended, in ms. */
const ENDING = 1000

/** The longest delay of a timer, in ms. */
const LONGEST_TIMER = 2 ** 31 - 1

/** Answers to a charge that are no reason to read the tenant again. */
const EXPECTED: ReadonlySet<ChargeResult['answer']> = new Set([
  'CHARGED',
  'FORWARDED',
  'HELD',
  'BUSY',
  'FULL',
  'DEFER',
  'ZERO',
])

/** What an engine reports. */
export interface EngineEvents extends DirectoryEvents {
  /** Redis could not be reached, or went away. */
  onRedisError(message: string): void
  /** Something was not written to Redis, and will not be tried again. */
  onDrop(message: string): void
  /** This process has put the alert into the stream of events. */
  onAlert?(alert: Alert): void
  /** Redis has gone back in time, and all that it is known to have lost was put back. */
  onWentBack?(facts: WentBack): void
}

/** The composition root of one process: all that uses Redis. It starts and ties the parts, and decides nothing. */
export class Engine {
  /** Of this process: see `nodes/node.ts`. */
  readonly processId = newNodeId()
  readonly directory: Directory
  readonly ledger: Ledger
  readonly restrictions: Restrictions
  readonly store: Store
  /** Counts for the reports. */
  readonly tally: Tally
  /** Messages in the queue that restrictions hold. */
  readonly held = new HeldCount()
  /** Counters over all tenants, for metrics. */
  readonly totals: Totals
  private readonly flusher: Flusher
  /** Publishes raised events in the stream, after the steps in `beforePublish`. */
  readonly forwarder: Forwarder
  /** Runs the duties of all Harakas in one process; started in one process of each Haraka. */
  readonly leader: Leader
  private readonly outbox: Outbox
  /** What was not written to Redis and will not be, since the start of the process. */
  private dropped = 0
  private released = false
  /** The tally has counts that have not been flushed. */
  private counted = false
  private hold: NodeJS.Timeout | undefined
  private subscriber: Client | undefined

  /**
   * Starts to connect in the background.
   *
   * @param reportDays how long reports are kept, in days.
   */
  constructor(
    private readonly redis: Config['redis'],
    private readonly events: EngineEvents,
    reportDays: () => number = () => 90,
  ) {
    const client = connect(redis, (message) => events.onRedisError(message))
    this.store = new Store(client, new Keys(redis.prefix))
    this.directory = new Directory(this.store, {
      onReady: (connectors) => events.onReady(connectors),
      onPutBack: (what) => {
        this.forwarder.pending(what.subject)
        events.onPutBack?.(what)
      },
      onConnectorBlock: (now) => events.onConnectorBlock?.(now),
      onOrder: () => events.onOrder?.(),
      onPause: () => events.onPause?.(),
      onError: (message) => events.onError(message),
      onUnusable: (message) => events.onUnusable?.(message),
      onUsableAgain: () => events.onUsableAgain?.(),
      onOutdated: () => this.giveEpoch(),
      onRestriction: (before, now) => {
        // The process that tripped it may not have received the answer.
        if (now.restricted !== undefined) this.indexRestriction(now.tenant)
        if (now.restricted !== undefined) this.flushEvidence(now.tenant)
        events.onRestriction(before, now)
      },
      onEventsPending: (tenant) => this.forwarder.pendingElsewhere(tenant),
      // Raised by a command, whose process does not publish them.
      onActed: (tenant) => {
        if (this.leader.isLeading) this.forwarder.pending(tenant)
      },
    })
    this.ledger = new Ledger(this.store, redis.commandTimeout)
    this.restrictions = new Restrictions(this.store)
    const onDrop = (reason: string): void => {
      this.dropped++
      events.onDrop(reason)
    }
    this.outbox = new Outbox(client, OUTBOX_BOUND, onDrop)
    this.tally = new Tally(onDrop)
    this.totals = new Totals(this.store)
    this.flusher = new Flusher({
      ...{ tally: this.tally, totals: this.totals, onDrop },
      recorder: new Recorder(this.store, reportDays),
      ready: () => this.whenRecordable(),
      onWait: (what) => events.onError(what),
    })

    const { registry } = this.directory
    const told = (what: string, error?: unknown): void =>
      events.onError(error === undefined ? what : `${what}: ${messageOf(error)}`)
    const forwarderEvents = { onAlert: (alert: Alert) => events.onAlert?.(alert), onError: told }
    const whenUsable = (): Promise<void> => registry.check()
    const changed: ReadChanges = (tenants, since) => changedSince(this.store, tenants, since)
    this.forwarder = new Forwarder(this.store, whenUsable, forwarderEvents, changed)
    const cases = new Cases(this.store)
    this.forwarder.beforePublish.push((tenant, event) => cases.handleEvent(tenant, event))
    this.leader = new Leader(this.store, () => this.checkRegistry(), told)
    this.leader.add(closeGroups(this.forwarder, forwarderEvents))
    this.leader.add(forwardLeft(this.store, this.forwarder))
    const onWentBack = (facts: WentBack): void => events.onWentBack?.(facts)
    this.leader.add(tellLost(this.store, this.forwarder, onWentBack))
    this.leader.add(forgetOldReport(this.store))
    this.leader.add(followClock(this.store, (ms) => told(stepText(ms))))
  }

  /** Starts to follow changes, over a connection of its own; not in a process that drains its sessions. */
  follow(): void {
    if (this.released) return
    const onError = (message: string): void => this.events.onRedisError(message)
    const { client } = this.store
    this.subscriber = connectSubscriber(this.redis, client, onError)
    this.directory.follow(this.subscriber, this.processId)
    this.flusher.start()
  }

  /** Reports each new entry of an audit trail; call {@link follow} first. */
  followAudit(onEntry: (entry: PublishedEntry) => void): void {
    if (!this.subscriber) return
    const onError = (error: unknown): void =>
      this.events.onError(`audit trails are not followed: ${messageOf(error)}`)
    followAudit(this.store, this.subscriber, onEntry, onError)
  }

  /** Whether Redis holds the registry that this process knows: nothing may be written to another one. */
  get registryState(): RegistryState {
    return this.directory.registry.state
  }

  /** What waits for Redis: refunds and index entries, batches of reports; how much was dropped; how much mail is held. */
  get backlog(): {
    readonly refundsWaiting: number
    readonly reportsWaiting: number
    readonly dropped: number
    readonly held: number
  } {
    const { outbox, flusher, dropped } = this
    const held = this.held.count()
    return { refundsWaiting: outbox.size, reportsWaiting: flusher.waiting, dropped, held }
  }

  /** Refunds recipients in the background; while Redis is away refunds wait, up to a bound. */
  readonly refund: Refund = (tenant, ...recipients) =>
    this.inBackground(tenant, () => this.ledger.refund(tenant, ...recipients))

  /**
   * What this process does when Redis has answered a charge: it forwards the events that the charge raised, and updates
   * what it knows of the tenant.
   *
   * @param stateToken what it knew of the restriction when it asked: see {@link Directory.restrictionSeen}.
   */
  charged(tenant: string, { answer, edges, scope, stale }: ChargeResult, stateToken: string): void {
    const tripped = answer === 'TRIPPED'
    if (tripped) this.indexRestriction(tenant)
    if (tripped || edges.length > 0) this.forwarder.pending(tenant)
    if (tripped || answer === 'RESTRICTED') {
      this.directory.restrictionSeen(tenant, scope, stateToken)
    } else if (stale || !EXPECTED.has(answer)) {
      this.directory.refresh(tenant)
    }
  }

  /** Adds a tenant to the index of restricted tenants, in the background. */
  indexRestriction(tenant: string): void {
    this.inBackground(INDEX_LANE, () => this.restrictions.index(tenant))
  }

  /**
   * Flushes the report counts of a tenant to Redis; they are flushed every few seconds anyway. Never rejects: also
   * resolves where Redis does not answer.
   */
  flushReports(tenant: string): Promise<void> {
    return this.flusher.flushTenant(tenant)
  }

  /** Brings the counts that led to a restriction to Redis, with those of messages in transit: see `cases/freeze.ts`. */
  private flushEvidence(tenant: string): void {
    void this.flushReports(tenant)
    setTimeout(() => void this.flushReports(tenant), ENDING).unref()
  }

  /** Publishes the raised events of a tenant, in the background. */
  eventsPending(tenant: string): void {
    this.forwarder.pending(tenant)
  }

  /**
   * Before the process drains its sessions: stops following changes, and keeps the connection for those sessions. From
   * then on only what waits to be written keeps the process alive, not the connection.
   */
  release(): void {
    this.directory.stop()
    this.leader.stop()
    this.store.unref()
    this.released = true
    this.flusher.stop()
    this.tally.onCount = () => {
      this.counted = true
      this.holdUntilSent()
    }
    this.holdUntilSent()
  }

  /**
   * Runs an errand in the background. While Redis is away, or holds another registry, it waits.
   *
   * @param lane errands of a lane run in order; usually the id of a tenant.
   */
  inBackground(lane: string, errand: Errand): void {
    const { registry } = this.directory
    this.outbox.send(lane, () =>
      registry.state === 'usable' ? errand() : this.whenUsable().then(errand),
    )
    if (this.released) this.holdUntilSent()
  }

  /** @throws where the registry must not be written. A process that drains its sessions no longer checks it by age. */
  private async whenUsable(): Promise<void> {
    const { registry } = this.directory
    if (registry.state !== 'usable') await registry.check()
  }

  /** The same for reports, which do their own waiting. */
  private async whenRecordable(): Promise<void> {
    if (this.store.client.status !== 'ready') throw new Error('no connection to Redis')
    await this.whenUsable()
  }

  /** Checks whether the registry is still the known one, and reports another one long before the check by age. */
  private async checkRegistry(): Promise<void> {
    try {
      await this.directory.registry.check()
    } catch (error) {
      if (error instanceof RegistryUnusable) this.events.onUnusable?.(error.message)
      throw error
    }
  }

  /** Keeps the process alive until everything is written. */
  private holdUntilSent(): void {
    if (this.hold) return
    this.hold = setInterval(() => {}, LONGEST_TIMER)
    void this.sendAll().then(() => {
      clearInterval(this.hold)
      this.hold = undefined
      if (this.counted) this.holdUntilSent()
    })
  }

  /** Writes all that waits for Redis. Reports alone do not wait until Redis answers. */
  private async sendAll(): Promise<void> {
    // Collects what other sessions add in the next moment.
    await sleep(DRAINING)
    this.counted = false
    await this.flusher.flush()
    await this.outbox.whenIdle()
    await this.flusher.flush()
  }

  /**
   * Waits until Redis answers, and gives a new registry its epoch, before anything is written into it.
   *
   * @throws {RegistryUnusable} the registry in Redis must not be written.
   * @throws where Redis gave no answer.
   */
  async whenWritable(): Promise<void> {
    const { client } = this.store
    // events.once would reject at the first failure to connect.
    if (client.status !== 'ready') {
      await new Promise<void>((resolve) => client.once('ready', () => resolve()))
    }
    await this.directory.registry.check()
    await ensureEpoch(this.store)
  }

  private giveEpoch(): void {
    ensureEpoch(this.store).catch((error: unknown) => this.events.onError(messageOf(error)))
  }

  /** Calls `listener` whenever all connections are up, for the first time or again. */
  onConnected(listener: () => void): void {
    const connections = [this.store.client, ...(this.subscriber ? [this.subscriber] : [])]
    for (const each of connections) {
      each.on('ready', () => {
        if (connections.every(({ status }) => status === 'ready')) listener()
      })
    }
  }
}
