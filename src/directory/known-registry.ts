import { shortTime } from '../base/time'
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
 * Whether what Redis holds is the registry that this process knows: not seen yet; it is; it is not (all is lost, or it is
 * another one, that nobody has put there in its place); or a later version has written it.
 */
export type RegistryState = 'unknown' | 'usable' | 'lost' | 'newer'

/** The registry must not be read or written; the message says why, and what to do. */
export class RegistryUnusable extends Error {
  override readonly name = 'RegistryUnusable'
}

/** What the registry of a process needs of the directory that it is part of. */
export interface RegistryContext {
  readonly store: Store
  /** Whether this process knows anything that could be lost. */
  readonly knows: () => boolean
  /** An operator has put another registry in the place of the one that was known; {@link onUsableAgain} follows. */
  readonly onReplaced: () => void
  /** It could not be read for a while, and all that is known may be another by now. */
  readonly onUsableAgain: () => void
  /** It has no epoch, or an older schema than ours. */
  readonly onOutdated: () => void
}

/**
 * Tells the registry that this process knows from another one in its place: by FLUSHALL, an empty replica that became
 * the primary, the wrong database. What was known before holds until an operator says that the other one is right: else
 * restricted tenants would go free, and registered mail be refused.
 */
export class KnownRegistry {
  private now: RegistryState = 'unknown'
  private known: string | undefined
  /** Server time at which it was last seen, in ms. */
  private seen = 0
  /** How many tenants it had then; Infinity: it is not known that it had none. */
  private tenants = 0
  private unusable: RegistryUnusable | undefined
  private running: Promise<unknown> = Promise.resolve()
  private next: Promise<void> | undefined

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

  /** @throws {RegistryUnusable} where it was found so; asks nothing. */
  assertUsable(): void {
    if (this.unusable) throw this.unusable
  }

  /**
   * Takes over what an earlier process knew, unless Redis has been looked at.
   *
   * @param tenants how many it had.
   */
  remember(epoch: string, seenAt: number, tenants = Infinity): void {
    if (this.now !== 'unknown') return
    this.known = epoch
    this.seen = seenAt
    this.tenants = tenants
  }

  /** What was remembered is not to be believed. */
  forget(): void {
    if (this.now === 'usable') return
    this.known = undefined
    this.tenants = 0
  }

  /**
   * Looks at the registry, after the call: one question for all who ask while another is under way.
   *
   * @throws {RegistryUnusable} what Redis holds must not be read or written.
   * @throws where Redis gave no answer; the state is what it was.
   */
  check(): Promise<void> {
    this.next ??= this.running.then(() => {
      this.next = undefined
      const looking = this.look('')
      this.running = looking.catch(() => {})
      return looking.then(() => {})
    })
    return this.next
  }

  /**
   * Whether the index names a tenant whose data is not there.
   *
   * @throws as {@link check}.
   */
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
    // Whoever knows none of its tenants must not begin a new one either, for those who do.
    if (this.tenants === 0 && !this.context.knows()) return false
    return isAnother(look, this.known, this.seen)
  }

  private accept({ epoch, time, tenants }: RegistryLook): void {
    const { onReplaced, onUsableAgain, onOutdated } = this.context
    const replaced = epoch && this.known !== undefined && epoch.epoch !== this.known
    this.known = epoch?.epoch
    this.seen = time
    this.tenants = tenants
    const wasUnusable = this.unusable !== undefined
    this.now = 'usable'
    this.unusable = undefined
    if (replaced) onReplaced()
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
      'Registered mail and known restrictions go on by what this process knows, other unregistered mail gets 451, ' +
      'and nothing is written. Bring it back (tenantctl restore FILE, or restore --from-snapshot), or say that this ' +
      'one is right (tenantctl init --force)'
    )
  }
}

function newerSchema({ schema }: Epoch): string {
  return (
    `Redis holds the registry in schema ${schema}, and this version knows ${SCHEMA.major}.x. ` +
    'Registered mail and known restrictions go on by what this process knows, other unregistered mail gets 451, ' +
    'and nothing is written. Update this plugin'
  )
}

function isOlder({ schema }: Epoch): boolean {
  const [major = 0, minor = 0] = schema.split('.').map(Number)
  return major < SCHEMA.major || (major === SCHEMA.major && minor < SCHEMA.minor)
}
