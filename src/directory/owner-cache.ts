import { performance } from 'node:perf_hooks'
import { FairCache } from '../base/fair-cache'
import { LruCache } from '../base/lru-cache'
import { parentsOf } from '../names/domain'
import type { Store } from '../store/store'
import type { Mark } from '../records/token'
import { jittered, RETRY_AFTER, type InBackground } from './refresh'
import type { LostChangesInEffect } from './lost-changes'
import type { RegistryMonitor } from './registry-monitor'
import { OWNERS } from '../registry/lost-changes'
import { ownerOf } from '../registry/owners'

/** Entries of each cache, and names whose owner has changed. */
const MOST_OWNERS = 10_000
/** Share of AUTH users in the cache of unowned domains: no tenant has this id. */
const AUTH_USERS = ''

interface Held {
  readonly owner: string | null
  /** Monotonic ms. */
  refreshAt: number
  /** Number of ownership changes when it was read, or when it was last found to be unaffected. */
  changes: number
}

/** The owner of a domain in the snapshot file; `undefined`: it does not say. */
export type RememberedOwners = (domain: string) => string | undefined

interface Answer {
  readonly owner: string | null
  /** Number of ownership changes when it was read. */
  readonly changes: number
}

interface Asking {
  readonly promise: Promise<Answer>
  readonly changes: number
}

/** What the cache needs from the directory that it is part of. */
export interface OwnersContext {
  readonly store: Store
  /** In ms. */
  readonly ageLimit: number
  readonly inBackground: InBackground
  readonly registry: RegistryMonitor
  readonly lost: LostChangesInEffect
  /** Earlier attributions may be wrong now. */
  readonly onChange: () => void
}

/**
 * The owners of domains, cached in one process. The domains of AUTH users are kept apart from those that clients name in
 * MAIL FROM, and so are unowned ones, whose number has no limit.
 */
export class OwnerCache {
  /** Owners of the domains of AUTH users. */
  private readonly ofUsers = new LruCache<Held>(MOST_OWNERS)
  /** Owners of sender domains, in the share of the tenant that sent. */
  private readonly ofSenders = new FairCache<Held>(MOST_OWNERS)
  /** Domains of both kinds that no tenant owns. */
  private readonly unowned = new FairCache<Held>(MOST_OWNERS)
  private readonly asking = new Map<string, Asking>()
  /** Number of ownership changes so far. */
  private changes = 0
  /** The last change that may concern any name. */
  private lastOfAny = 0
  /** Name → its last change, where that came after {@link lastOfAny}. */
  private readonly changedNames = new Map<string, number>()
  private remembered: RememberedOwners | undefined
  /** The latest version of all claims that this process knows. */
  private version: Mark = 0
  /** Redis has lost changes of owners: what is cached stays in effect. */
  private wentBack = false

  constructor(private readonly context: OwnersContext) {}

  /** See {@link Directory.ownerOf}. */
  ownerOf(domain: string, sentBy?: string): string | null | undefined {
    const held = this.find(domain, sentBy)
    if (held === undefined || this.mayHaveChanged(domain, held)) return undefined
    const now = performance.now()
    if (now > held.refreshAt) {
      held.refreshAt = now + RETRY_AFTER
      this.context.inBackground(this.read(domain, sentBy))
    }
    return held.owner
  }

  /** See {@link Directory.askOwner}. */
  async ask(domain: string, sentBy?: string): Promise<string | null> {
    try {
      return await this.read(domain, sentBy)
    } catch (error) {
      const held = this.find(domain, sentBy)
      if (held === undefined) {
        const owner = this.remembered?.(domain)
        if (owner === undefined) throw error
        return owner
      }
      held.changes = this.changes
      held.refreshAt = performance.now() + RETRY_AFTER
      return held.owner
    }
  }

  /**
   * Reads all owners again when they are asked for next. Where Redis has lost changes of owners, the cached ones stay in
   * effect, except for names that are changed afterwards.
   *
   * @throws if Redis does not answer.
   */
  async readAgain(): Promise<void> {
    const { store, registry, lost } = this.context
    // What is announced while Redis answers may be later than its answer.
    const known = this.version
    const found = Number(await store.client.get(store.keys.ownerVersion))
    this.wentBack = registry.hasLost(known, found)
    if (this.wentBack) return lost.miss(OWNERS, known, found)
    if (this.version === known) this.version = found
    this.changed()
  }

  /** Empties the cache: the next answers come from Redis. */
  forget(): void {
    for (const cache of [this.ofUsers, this.ofSenders, this.unowned]) cache.clear()
    this.remembered = undefined
    this.context.onChange()
  }

  /** Uses the owners of the snapshot file until Redis answers for the first time. */
  remember(owners: RememberedOwners): void {
    this.remembered = owners
  }

  /**
   * Handles a published change of owners: entries that it may concern are read again, if Redis answers.
   *
   * @param names `undefined`: any.
   * @param version of all claims; 0: not known.
   */
  changed(names?: readonly string[], version: Mark = 0): void {
    this.version = Math.max(this.version, version)
    this.changes++
    if (names === undefined || this.changedNames.size + names.length > MOST_OWNERS) {
      this.lastOfAny = this.changes
      this.changedNames.clear()
    } else {
      for (const name of names) this.changedNames.set(name, this.changes)
    }
    if (this.ofUsers.size + this.ofSenders.size + this.unowned.size > 0) this.context.onChange()
  }

  /** Whether the owner of the domain or of a name above it has changed since the entry was read. */
  private mayHaveChanged(domain: string, held: Held): boolean {
    if (held.changes === this.changes) return false
    const changedSince = (name: string) => (this.changedNames.get(name) ?? 0) > held.changes
    if (held.changes < this.lastOfAny) return true
    if (changedSince(domain) || parentsOf(domain).some(changedSince)) return true
    held.changes = this.changes
    return false
  }

  private find(domain: string, sentBy: string | undefined): Held | undefined {
    const cache = sentBy === undefined ? this.ofUsers : this.ofSenders
    return cache.get(domain) ?? this.unowned.get(domain)
  }

  private async read(domain: string, sentBy: string | undefined): Promise<string | null> {
    const { owner, changes } = await this.question(domain)
    const held = this.find(domain, sentBy)
    if (held && this.wentBack && !this.mayHaveChanged(domain, held)) {
      held.refreshAt = performance.now() + jittered(this.context.ageLimit)
      return held.owner
    }
    // A later read has already answered.
    if (held && held.changes > changes) return owner
    if (held && held.owner !== owner) this.context.onChange()
    this.keep(domain, sentBy, owner, changes)
    return owner
  }

  private keep(
    domain: string,
    sentBy: string | undefined,
    owner: string | null,
    changes: number,
  ): void {
    const refreshAt = performance.now() + jittered(this.context.ageLimit)
    const held: Held = { owner, changes, refreshAt }
    if (owner === null) {
      if (sentBy === undefined) this.ofUsers.delete(domain)
      else this.ofSenders.delete(domain)
      this.unowned.set(sentBy ?? AUTH_USERS, domain, held)
    } else {
      this.unowned.delete(domain)
      if (sentBy === undefined) this.ofUsers.set(domain, held)
      else this.ofSenders.set(sentBy, domain, held)
    }
  }

  /** One read at a time for each name, unless a change came after it began. */
  private question(domain: string): Promise<Answer> {
    const { changes } = this
    const running = this.asking.get(domain)
    if (running?.changes === changes) return running.promise
    const asking: Asking = {
      changes,
      promise: this.askNow(domain, changes).finally(() => {
        if (this.asking.get(domain) === asking) this.asking.delete(domain)
      }),
    }
    this.asking.set(domain, asking)
    return asking.promise
  }

  private async askNow(domain: string, changes: number): Promise<Answer> {
    const { store, registry, lost } = this.context
    registry.assertUsable()
    const asRead = (await ownerOf(store, domain)) ?? null
    // Checked afterwards: Redis may have lost the registry before this was read.
    await registry.check()
    this.remembered = undefined
    const owner = lost.ownerOf(domain, asRead)
    if (owner === null && this.isOwned(domain) && !(await this.existInRedis(store))) {
      throw new Error(
        'the owners of domains are gone from Redis, though the registry is there: the cached ones stay in effect',
      )
    }
    return { owner, changes }
  }

  /** According to the cache. */
  private isOwned(domain: string): boolean {
    return this.ofUsers.has(domain) || this.ofSenders.get(domain) !== undefined
  }

  private async existInRedis({ client, keys }: Store): Promise<boolean> {
    return (await client.exists(keys.ownerVersion)) === 1
  }
}
