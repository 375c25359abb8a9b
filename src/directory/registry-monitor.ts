import { coalesced } from '../base/coalesce'
import { shortTime } from '../base/time'
import type { Mark } from '../records/token'
import type { Store } from '../store/store'
import {
  describeAnother,
  isAnother,
  isNewer,
  lookAtRegistry,
  SCHEMA,
  type Epoch,
  type RegistryLook,
} from '../registry/epoch'

/**
 * Whether Redis holds the registry that this process knows: `unknown`, not checked yet; `lost`, Redis is empty or holds
 * another registry that no operator has accepted; `newer`, a later version has written it.
 */
export type RegistryState = 'unknown' | 'usable' | 'lost' | 'newer'

/** The registry must not be read or written. The message says why, and what to do. */
export class RegistryUnusable extends Error {
  override readonly name = 'RegistryUnusable'
}

/** What the snapshot file says of the registry. */
export interface RememberedRegistry {
  readonly epoch: string
  /** Server time at which the registry was last seen, in ms since the epoch of Unix. */
  readonly seenAt: number
  /** The last time that a tenant was added or removed; absent: not known. */
  readonly changed?: Mark | undefined
}

/** What the monitor needs from the directory that it is part of. */
export interface RegistryContext {
  readonly store: Store
  /** Whether this process has cached anything of the registry. */
  readonly hasCache: () => boolean
  /** An operator has accepted another registry; {@link onUsableAgain} follows. */
  readonly onReplaced: () => void
  /** An operator has accepted what Redis holds after it went back in time. */
  readonly onAccepted: () => void
  /** The registry can be read again; all cached data may be out of date. */
  readonly onUsableAgain: () => void
  /** The registry has no epoch, or an older schema than this version. */
  readonly onOutdated: () => void
}

/**
 * Detects that Redis no longer holds the registry that this process knows: after FLUSHALL, an empty replica that became
 * the primary, a wrong database. The cache stays in effect until an operator accepts the current content of Redis; else
 * restricted tenants could send, and registered mail would be refused.
 */
export class RegistryMonitor {
  private now: RegistryState = 'unknown'
  private known: string | undefined
  /** Server time of the last check that found it, in ms. */
  private seen = 0
  /** Number of its tenants then; Infinity: not known. */
  private tenants = 0
  private marks: Pick<RegistryLook, 'accepted' | 'lifted'> | undefined
  private lastChange: Mark = 0
  private indexLost = false
  private unusable: RegistryUnusable | undefined

  constructor(private readonly context: RegistryContext) {}

  get state(): RegistryState {
    return this.now
  }

  /** The epoch of the registry that this process knows; `undefined`: none yet. */
  get epoch(): string | undefined {
    return this.known
  }

  /** Server time at which the known registry was last seen, in ms since the epoch of Unix. */
  get seenAt(): number {
    return this.seen
  }

  /** When an operator last accepted what Redis holds: what is known from before, and Redis does not hold, is dropped. */
  get accepted(): Mark {
    return this.marks?.accepted ?? 0
  }

  /** When an operator last accepted it without the restrictions that only processes knew. */
  get lifted(): Mark {
    return this.marks?.lifted ?? 0
  }

  /** The last time that a tenant was added or removed. */
  get changed(): Mark {
    return this.lastChange
  }

  /** Redis has lost which tenants were added or removed. */
  get indexWentBack(): boolean {
    return this.indexLost
  }

  /** Whether Redis has lost a change: it is later than what Redis holds, and no operator has accepted that since. */
  hasLost(known: Mark, found: Mark): boolean {
    return known > found && known > this.accepted
  }

  /** Asks nothing. @throws {RegistryUnusable} if the last check found it so. */
  assertUsable(): void {
    if (this.unusable) throw this.unusable
  }

  /**
   * Takes over what the snapshot file says, unless Redis has been checked already.
   *
   * @param tenants number of tenants in it.
   */
  remember({ epoch, seenAt, changed = 0 }: RememberedRegistry, tenants = Infinity): void {
    if (this.now !== 'unknown') return
    this.known = epoch
    this.seen = seenAt
    this.lastChange = changed
    this.tenants = tenants
  }

  /** Drops the epoch of the snapshot file. */
  forget(): void {
    if (this.now === 'usable') return
    this.known = undefined
    this.tenants = 0
  }

  /**
   * Checks the registry after the call; callers that come while a check runs share the next one.
   *
   * @throws {RegistryUnusable} the registry must not be read or written.
   * @throws if Redis does not answer; the state does not change.
   */
  readonly check = coalesced(async () => void (await this.look('')))

  /** Whether the index of tenants names this one. @throws as {@link check}. */
  async isIndexed(tenant: string): Promise<boolean> {
    return (await this.look(tenant)).indexed
  }

  private async look(tenant: string): Promise<RegistryLook> {
    const { store } = this.context
    const look = await lookAtRegistry(store, tenant)
    const { epoch } = look
    if (epoch && isNewer(epoch)) this.become('newer', newerSchema(epoch))
    if (this.isLost(look)) this.become('lost', this.lostMessage(look))
    this.accept(look)
    return look
  }

  private isLost(look: RegistryLook): boolean {
    if (this.known === undefined) return false
    // A process without a cache must not start a new registry either: other processes may have one.
    if (this.tenants === 0 && !this.context.hasCache()) return false
    return isAnother(look, this.known, this.seen)
  }

  private accept(look: RegistryLook): void {
    const { epoch, time, tenants, accepted, changed } = look
    const { onReplaced, onUsableAgain, onOutdated, onAccepted } = this.context
    const { marks } = this
    if (changed < this.lastChange && accepted < this.lastChange) this.indexLost = true
    const isAccepted = marks !== undefined && accepted > marks.accepted
    if (isAccepted) this.indexLost = false
    this.marks = {
      accepted: Math.max(accepted, marks?.accepted ?? 0),
      lifted: Math.max(look.lifted, marks?.lifted ?? 0),
    }
    this.lastChange = Math.max(changed, this.lastChange)
    const replaced = epoch && this.known !== undefined && epoch.epoch !== this.known
    this.known = epoch?.epoch
    this.seen = time
    this.tenants = tenants
    const wasUnusable = this.unusable !== undefined
    this.now = 'usable'
    this.unusable = undefined
    if (replaced) onReplaced()
    if (isAccepted) onAccepted()
    if (replaced || wasUnusable) onUsableAgain()
    if (!epoch || isOlder(epoch)) onOutdated()
  }

  private become(state: 'lost' | 'newer', message: string): never {
    this.now = state
    throw (this.unusable = new RegistryUnusable(message))
  }

  private lostMessage(look: RegistryLook): string {
    return (
      `Redis has lost the registry: it held ${this.known} at ${shortTime(this.seen)}, and holds ${describeAnother(look)}. ` +
      'Registered mail and restrictions go on from the cache of this process, other unregistered mail gets 451, ' +
      'and nothing is written. Restore it (tenantctl restore FILE, or restore --from-snapshot), or accept the current ' +
      'content of Redis as the registry (tenantctl init --force)'
    )
  }
}

function newerSchema({ schema }: Epoch): string {
  return (
    `Redis holds the registry in schema ${schema}, and this version reads ${SCHEMA.major}.x. ` +
    'Registered mail and restrictions go on from the cache of this process, other unregistered mail gets 451, ' +
    'and nothing is written. Update this plugin'
  )
}

function isOlder({ schema }: Epoch): boolean {
  const [major = 0, minor = 0] = schema.split('.').map(Number)
  return major < SCHEMA.major || (major === SCHEMA.major && minor < SCHEMA.minor)
}
