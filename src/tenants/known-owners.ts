import { performance } from 'node:perf_hooks'
import { LRUCache } from 'lru-cache'
import { parentsOf } from '../names/domain'
import type { Store } from '../store/store'
import { jittered, RETRY_AFTER, type InBackground } from './aging'
import type { KnownRegistry } from './known-registry'
import { ownerOf } from './owners'

const MOST_OWNERS = 10_000

interface Held {
  readonly owner: string | null
  /** Monotonic ms. */
  refreshAt: number
  /** How often ownership had changed when it was asked for, or was last seen to have nothing to do with it. */
  changes: number
}

/** The owner of a domain as an earlier process knew it; `undefined`: it did not. */
export type RememberedOwners = (domain: string) => string | undefined

interface Asking {
  readonly promise: Promise<string | null>
  readonly changes: number
}

/** What the owners of a process need of the directory that they are part of. */
export interface OwnersContext {
  readonly store: Store
  /** In ms. */
  readonly ageLimit: number
  readonly inBackground: InBackground
  readonly registry: KnownRegistry
  /** An attribution made before may be another now. */
  readonly onChange: () => void
}

/** The owners of domains that one process has asked for. */
export class KnownOwners {
  private readonly held = new LRUCache<string, Held>({ max: MOST_OWNERS })
  private readonly asking = new Map<string, Asking>()
  /** How often ownership has changed somewhere. */
  private changes = 0
  /** The last change that may have been one of any name. */
  private lastOfAny = 0
  /** Name → its last change, where that came after {@link lastOfAny}. */
  private readonly changedNames = new Map<string, number>()
  private remembered: RememberedOwners | undefined

  constructor(private readonly context: OwnersContext) {}

  /** See {@link Directory.ownerOf}. */
  ownerOf(domain: string): string | null | undefined {
    const held = this.held.get(domain)
    if (held === undefined || this.mayBeAnother(domain, held)) return undefined
    const now = performance.now()
    if (now > held.refreshAt) {
      held.refreshAt = now + RETRY_AFTER
      this.context.inBackground(this.read(domain))
    }
    return held.owner
  }

  /** See {@link Directory.askOwner}. */
  async ask(domain: string): Promise<string | null> {
    try {
      return await this.read(domain)
    } catch (error) {
      const held = this.held.get(domain)
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

  /** What is known is to be replaced by what Redis has, even by nothing. */
  forget(): void {
    this.held.clear()
    this.remembered = undefined
    this.context.onChange()
  }

  /** What an earlier process knew counts until Redis answers for the first time. */
  remember(owners: RememberedOwners): void {
    this.remembered = owners
  }

  /**
   * Some names have other owners than before: what was asked for and may be another now is asked for again, if Redis
   * answers.
   *
   * @param names `undefined`: any may have.
   */
  changed(names?: readonly string[]): void {
    this.changes++
    if (names === undefined || this.changedNames.size + names.length > MOST_OWNERS) {
      this.lastOfAny = this.changes
      this.changedNames.clear()
    } else {
      for (const name of names) this.changedNames.set(name, this.changes)
    }
    if (this.held.size > 0) this.context.onChange()
  }

  /** A domain is owned by itself or by what it lies below: whether one of these has changed since it was asked for. */
  private mayBeAnother(domain: string, held: Held): boolean {
    if (held.changes === this.changes) return false
    const changedSince = (name: string) => (this.changedNames.get(name) ?? 0) > held.changes
    if (held.changes < this.lastOfAny) return true
    if (changedSince(domain) || parentsOf(domain).some(changedSince)) return true
    held.changes = this.changes
    return false
  }

  /** One question at a time for each name, unless the answer may be from before a change. */
  private read(domain: string): Promise<string | null> {
    const { changes } = this
    const running = this.asking.get(domain)
    if (running?.changes === changes) return running.promise
    const asking: Asking = {
      changes,
      promise: this.readNow(domain, changes).finally(() => {
        if (this.asking.get(domain) === asking) this.asking.delete(domain)
      }),
    }
    this.asking.set(domain, asking)
    return asking.promise
  }

  private async readNow(domain: string, changes: number): Promise<string | null> {
    const { store, ageLimit, registry, onChange } = this.context
    registry.assertUsable()
    const owner = (await ownerOf(store, domain)) ?? null
    // Afterwards: what was read may be what is left after all was lost.
    await registry.check()
    this.remembered = undefined
    const held = this.held.peek(domain)
    if (owner === null && held?.owner && !(await store.client.exists(store.keys.ownerVersion))) {
      throw new Error(
        'the owners of domains are gone from Redis, though the registry is there: what is known of them holds',
      )
    }
    // A question that was asked later has been answered before.
    if (held && held.changes > changes) return owner
    if (held && held.owner !== owner) onChange()
    this.held.set(domain, { owner, changes, refreshAt: performance.now() + jittered(ageLimit) })
    return owner
  }
}
