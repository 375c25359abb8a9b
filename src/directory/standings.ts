import { setTimeout as sleep } from 'node:timers/promises'
import { Restrictions } from '../allowance/restriction'
import {
  accepted,
  compare,
  readStanding,
  type RestrictionFields,
  type Standing,
  type StandingRead,
  type Verdict,
} from '../allowance/standing'
import { LruCache } from '../base/lru-cache'
import { mapLimited } from '../base/limiter'
import type { About } from '../registry/changes'
import type { PutBack } from '../registry/lost-changes'
import { scanSet } from '../store/scan'
import type { Store } from '../store/store'
import { jittered, RETRY_AFTER, type InBackground } from './refresh'
import type { RegistryMonitor } from './registry-monitor'

/** Restrictions, and lifts, that a process knows at most. */
const MOST_RESTRICTIONS = 100_000
const MOST_LIFTS = 10_000
/** Restrictions read at the same time. */
const AT_ONCE = 32
/** A process that knows the lift of a restriction has this long to say so before the restriction is put back. In ms. */
const LIFTS_FIRST = 2000

/** A restriction in the snapshot file. */
export interface RememberedRestriction {
  readonly tenant: string
  /** The tenant's `createdAt`. */
  readonly created: string
  readonly restriction: RestrictionFields
}

/** The last lift of a tenant in the snapshot file that is not restricted. */
export interface RememberedLift {
  readonly tenant: string
  /** The tenant's `createdAt`. */
  readonly created: string
  /** As the tenant's hash has them: when, by whom and why; a probation, or empty. */
  readonly lifted: string
  readonly probation: string
}

/** What the standings need from the directory that they are part of. */
export interface StandingsContext {
  readonly store: Store
  readonly inBackground: InBackground
  readonly registry: RegistryMonitor
  /** Other restrictions are known, or one has been put back. */
  readonly onNews: () => void
  /** This process has put a restriction or a lift back. */
  readonly onPutBack: (what: PutBack) => void
}

/**
 * All restrictions in full, and the lifts that this process has heard of. A restriction that Redis has lost stays in
 * effect, and is put back: a restriction outlives everything but a person.
 */
export class Standings {
  private readonly restricted = new LruCache<Standing>(MOST_RESTRICTIONS)
  private readonly lifted = new LruCache<Standing>(MOST_LIFTS)
  private readonly puttingBack = new Set<string>()
  private readonly restrictions: Restrictions

  constructor(private readonly context: StandingsContext) {
    this.restrictions = new Restrictions(context.store)
  }

  /** The restriction in effect of a tenant that has just been read; `undefined`: not restricted. */
  inEffect(tenant: string, read: StandingRead): RestrictionFields | undefined {
    const known = this.of(tenant)
    const verdict = this.verdict(known, read)
    if (verdict === 'accept') {
      this.keep(tenant, accepted(known, read))
      return read.restriction
    }
    if (verdict !== 'keep' && !this.puttingBack.has(tenant)) {
      this.puttingBack.add(tenant)
      this.context.inBackground(this.putBackOnce(tenant, verdict))
    }
    return known?.restriction
  }

  /** The known restriction; `undefined`: none. */
  restrictionOf(tenant: string): RestrictionFields | undefined {
    return this.of(tenant)?.restriction
  }

  /** Whether the restriction is known as it is in the snapshot file. */
  knows({ tenant, restriction }: RememberedRestriction): boolean {
    return isSameRestriction(this.restrictionOf(tenant), restriction)
  }

  /** Whether a restriction or a lift of the tenant is lost and not back yet. */
  isPuttingBack(tenant: string): boolean {
    return this.puttingBack.has(tenant)
  }

  /** Handles what was announced about a tenant. */
  announced(tenant: string, about: About): void {
    switch (about.what) {
      case 'restriction':
        return this.heard(tenant, { ...about, lift: undefined })
      case 'lift':
        return this.heard(tenant, { ...about, restriction: undefined })
      case 'removal':
        return this.forget(tenant)
      case 'unknown':
        return this.context.inBackground(this.readAgain(tenant))
    }
  }

  /** Adds a restriction of the snapshot file, unless something is known of the tenant already. */
  remember(tenant: string, created: string, restriction: RestrictionFields): void {
    if (!this.of(tenant)) this.keep(tenant, { created, restriction, lift: undefined })
  }

  /**
   * Compares restrictions and lifts of the snapshot file with Redis, which may have lost them.
   *
   * @throws if Redis does not answer.
   */
  async recall(
    restrictions: readonly RememberedRestriction[],
    lifts: readonly RememberedLift[],
  ): Promise<void> {
    const unknown = restrictions.filter((each) => !this.knows(each))
    await mapLimited(unknown, AT_ONCE, (each) => this.recallRestriction(each))
    const undone = lifts.filter(({ tenant }) => this.restrictionOf(tenant))
    await mapLimited(undone, AT_ONCE, (each) => this.recallLift(each))
  }

  private async recallLift({ tenant, created, lifted, probation }: RememberedLift): Promise<void> {
    const read = await this.read(tenant)
    const there = read?.restriction
    if (!there) return
    const [at = '', by = '', reason = ''] = lifted.split('\t')
    const since = there['since']!
    if (Number(since) > Number(at)) return
    const of = { since, event: there['event'] ?? '', case: there['case'] ?? '' }
    const lift = { at, by, reason, probation, ...of }
    const known = { created, restriction: undefined, lift }
    if (this.verdict(known, read) !== 'lift back') return
    this.keep(tenant, known)
    this.inEffect(tenant, read)
  }

  private async recallRestriction(remembered: RememberedRestriction): Promise<void> {
    const { tenant, created, restriction } = remembered
    const read = await this.read(tenant)
    // This process may have heard of the lift, and Redis may have lost that too.
    if (Number(this.of(tenant)?.lift?.at ?? 0) >= Number(restriction['since'])) return
    const known = { created, restriction, lift: undefined }
    const isLost = read
      ? this.verdict(known, read) !== 'accept'
      : this.context.registry.indexWentBack
    if (!isLost) return
    this.keep(tenant, known)
    if (read) this.inEffect(tenant, read)
  }

  /** Reads all restrictions, and what has become of those that are known. @throws if Redis does not answer. */
  async readAll(): Promise<void> {
    const { store } = this.context
    const ids = new Set([...this.restricted.keys(), ...this.lifted.keys()])
    for await (const batch of scanSet(store, store.keys.restricted)) {
      for (const id of batch) ids.add(id)
    }
    await mapLimited([...ids], AT_ONCE, (id) => this.readAgain(id))
  }

  /** Accepts what was announced, unless a process has put it back that does not know what came after it. */
  private heard(tenant: string, announced: Standing): void {
    const { lift } = announced
    const asRead = { ...announced, liftedAt: Number(lift?.at ?? 0) }
    if (this.verdict(this.of(tenant), asRead) === 'accept') this.keep(tenant, announced)
    else this.context.inBackground(this.readAgain(tenant))
  }

  private async readAgain(tenant: string): Promise<void> {
    const read = await this.read(tenant)
    if (read) this.inEffect(tenant, read)
  }

  private async read(tenant: string): Promise<StandingRead | undefined> {
    const read = await readStanding(this.context.store, tenant)
    // Checked afterwards: Redis may have lost the registry before this was read.
    await this.context.registry.check()
    return read
  }

  /** Tries again later if Redis does not answer: no mail may come that has the tenant read again. */
  private async putBackOnce(tenant: string, verdict: Verdict): Promise<void> {
    try {
      await this.putBack(tenant, verdict)
    } catch (error) {
      setTimeout(() => this.context.inBackground(this.readAgain(tenant)), RETRY_AFTER).unref()
      throw error
    } finally {
      this.puttingBack.delete(tenant)
      this.context.onNews()
    }
  }

  /** Puts a restriction or a lift back, unless it is no longer missing by then. */
  private async putBack(tenant: string, verdict: Verdict): Promise<void> {
    const { store, registry, onPutBack } = this.context
    if (verdict === 'restriction back') {
      await sleep(jittered(LIFTS_FIRST) + LIFTS_FIRST / 4, undefined, { ref: false })
    }
    await registry.check()
    const known = this.of(tenant)
    const read = await readStanding(store, tenant)
    if (!known || !read) return
    const { created, restriction, lift } = known
    switch (this.verdict(known, read)) {
      case 'restriction back':
        if (!(await this.restrictions.putBack(tenant, created, restriction!))) return
        return onPutBack(
          putBackOf(tenant, 'restriction', restriction!, Number(restriction!['since']), read),
        )
      case 'lift back':
        if (!(await this.restrictions.putLiftBack(tenant, created, lift!))) return
        return onPutBack(putBackOf(tenant, 'lift', lift!, Number(lift!.at), read))
    }
  }

  private verdict(known: Standing | undefined, read: Omit<StandingRead, 'mark'>): Verdict {
    if (known === undefined) return 'accept'
    // An operator has dropped the restrictions that Redis did not hold then.
    const time = Number(known.restriction?.['since'] ?? known.lift?.at ?? 0)
    return time * 1000 <= this.context.registry.lifted ? 'accept' : compare(known, read)
  }

  private of(tenant: string): Standing | undefined {
    return this.restricted.get(tenant) ?? this.lifted.get(tenant)
  }

  private keep(tenant: string, standing: Standing): void {
    const before = this.restrictionOf(tenant)
    const { restriction } = standing
    if (!isSameRestriction(before, restriction)) this.context.onNews()
    this.forget(tenant)
    if (restriction) this.restricted.set(tenant, standing)
    else if (standing.lift) this.lifted.set(tenant, standing)
  }

  private forget(tenant: string): void {
    this.restricted.delete(tenant)
    this.lifted.delete(tenant)
  }
}

function isSameRestriction(
  one: RestrictionFields | undefined,
  other: RestrictionFields | undefined,
): boolean {
  return one?.['since'] === other?.['since'] && one?.['scope'] === other?.['scope']
}

function putBackOf(
  subject: string,
  what: PutBack['what'],
  { case: opened = '' }: RestrictionFields,
  time: number,
  { mark }: StandingRead,
): PutBack {
  return { subject, what, case: opened, time, known: time * 1000, found: mark }
}
