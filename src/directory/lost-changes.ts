import { coveringDomain } from '../names/covering'
import { markOf, type Mark } from '../records/token'
import type { Change } from '../registry/changes'
import { parseFlags, type DomainFlags } from '../registry/formats'
import {
  MOST_CHANGES,
  tenantMark,
  type LostChange,
  type LostChanges,
  type LostReport,
  type MissingChange,
} from '../registry/lost-changes'
import { unread, type Announcements, type Heard, type HeardPart } from './announcements'
import type { LossReports } from './loss-reports'
import type { RegistryMonitor } from './registry-monitor'
import type { OwnSnapshot } from './snapshot-reader'
import { changesBetween, changesTo, corrected, domainsOf } from './tenant-changes'

/** Tenants and connectors with lost changes at most. */
const MOST_SUBJECTS = 20_000
/** All connectors: they have one token. */
const CONNECTORS = '@connectors'
/** What was known of a tenant before it was read. */
export interface Before {
  readonly snapshot: OwnSnapshot | undefined
  readonly heard: Heard | undefined
}

interface Entry {
  readonly known: Mark
  readonly found: Mark
  readonly changes: readonly LostChange[]
}

/** An accepted domain that was added or removed, and whose it was. */
interface OwnedName extends DomainFlags {
  readonly tenant: string
}

interface Owned {
  readonly added: ReadonlyMap<string, OwnedName>
  readonly removed: ReadonlyMap<string, OwnedName>
}

/** What the lost changes need from the directory that they are part of. */
export interface LostContext {
  readonly registry: RegistryMonitor
  readonly announcements: Announcements
  readonly reports: LossReports
  /** The latest change of a tenant, or of all connectors for a connector, that is cached; 0: none is. */
  readonly knownMark: (subject: string) => Mark
}

/**
 * The changes that Redis has lost because it went back in time, as far as this process or another one knows them. They stay
 * in effect until an operator has resolved it, each as long as Redis holds the value that it went back to.
 */
export class LostChangesInEffect {
  private readonly bySubject = new Map<string, Entry>()
  private readonly missing = new Set<string>()
  /** See {@link comparedAt}. */
  private readonly compared = new Map<string, { readonly known: Mark; readonly found: Mark }>()
  private owned: Owned | undefined

  constructor(private readonly context: LostContext) {}

  /** Whether changes of a tenant or connector (`tenant/name`) are lost. */
  has(subject: string): boolean {
    return this.bySubject.has(subject)
  }

  /** The connectors with lost changes. */
  connectors(): string[] {
    return [...this.bySubject.keys()].filter((subject) => subject.includes('/'))
  }

  /** What to hand to {@link inEffect} after reading; to be called before. */
  before(tenant: string, snapshot: OwnSnapshot | undefined): Before {
    return { snapshot, heard: this.context.announcements.of(tenant) }
  }

  /**
   * What is in effect of a tenant that has just been read, in place of what Redis holds.
   *
   * @param read `undefined`: Redis has no such tenant, though it was not removed.
   * @returns `undefined`: there is no such tenant.
   */
  inEffect(
    tenant: string,
    { snapshot, heard }: Before,
    read: OwnSnapshot | undefined,
  ): OwnSnapshot | undefined {
    const found = read ? tenantMark(read) : 0
    const compared = this.compared.get(tenant)
    if (heard?.removed && this.context.registry.hasLost(heard.settings.mark, found)) {
      this.add(tenant, heard.settings.mark, found, changesBetween(read, undefined))
    } else if (snapshot) {
      const lost = {
        domains: this.context.registry.hasLost(
          markOf(snapshot.domainsToken),
          markOf(read?.domainsToken),
        ),
        settings: this.context.registry.hasLost(
          markOf(snapshot.stateToken),
          markOf(read?.stateToken),
        ),
      }
      if (lost.domains || lost.settings) {
        this.add(tenant, tenantMark(snapshot), found, changesBetween(read, snapshot, lost))
      }
    }
    if (heard?.removed === false) {
      const parts = this.context.announcements.lost(unread(heard, snapshot), read)
      // What was compared before may have been overtaken since.
      const isNew = (mark: Mark): boolean =>
        !compared || mark > compared.known || found < compared.found
      this.compareHeard(
        tenant,
        parts.filter(({ mark }) => isNew(mark)),
        read,
      )
    }
    const entry = this.bySubject.get(tenant)
    if (entry === undefined) return read
    const { snapshot: effective, left } = corrected(read, entry.changes, tenant)
    if (left.length < entry.changes.length) this.keep(tenant, { ...entry, changes: left })
    return effective
  }

  /** What was announced is known in full, or missing. */
  private compareHeard(
    tenant: string,
    parts: readonly HeardPart[],
    read: OwnSnapshot | undefined,
  ): void {
    const found = read ? tenantMark(read) : 0
    for (const { mark, values } of parts) {
      if (values) this.add(tenant, mark, found, changesTo(read, values))
      else this.miss(tenant, mark, found)
    }
  }

  /** Adds the lost change of a connector: Redis holds `was`, which may be nothing. */
  addConnector(id: string, known: Mark, found: Mark, was: string | null, is: string | null): void {
    this.add(id, known, found, [{ what: 'connector', was, is }])
  }

  /** The lost change of a connector. */
  connector(id: string): LostChange | undefined {
    return this.bySubject.get(id)?.changes[0]
  }

  /** Replaces the lost change of a connector, of which Redis holds another value by now; forgets it if both are the same. */
  changeConnector(id: string, was: string | null, is: string | null): void {
    const entry = this.bySubject.get(id)
    if (!entry) return
    this.keep(id, { ...entry, changes: was === is ? [] : [{ what: 'connector', was, is }] })
  }

  /** Notes that changes are lost that this process does not know, unless another one does. */
  miss(subject: string, known: Mark, found: Mark): void {
    const key = `${subject} ${known}`
    if ((this.bySubject.get(subject)?.known ?? 0) >= known || this.missing.has(key)) return
    this.missing.add(key)
    this.context.reports.add({ kind: 'missing', subject, known, found })
  }

  /**
   * Takes over what other processes have reported, where they know a later change than this one.
   *
   * @returns the tenants and connectors concerned.
   */
  adopt(report: LostReport): string[] {
    this.owned = undefined
    // What is missing may be a lift of an earlier version: a process that has read the tenant after it does not know that.
    for (const missing of report.missing) {
      if (this.comparedAt(missing.subject) > missing.known) this.withdrawOlder(missing)
    }
    return report.lost.flatMap((reported) => {
      const { subject, known, found, changes } = reported
      if (changes.length === 0 || known <= this.context.registry.accepted) return []
      const entry = this.bySubject.get(subject)
      // A report of an earlier return, which Redis holds again, must not replace what has been known since.
      const own = Math.max(
        entry?.known ?? 0,
        this.comparedAt(subject),
        this.context.knownMark(subject),
      )
      if (own >= known) {
        if (!entry) this.withdrawOlder(reported)
        return []
      }
      if (!entry && this.bySubject.size >= MOST_SUBJECTS) return []
      this.bySubject.set(subject, { known, found, changes })
      return [subject]
    })
  }

  /** Withdraws a report where this process knew a later state, of which Redis has lost nothing that must be put right. */
  private withdrawOlder({ subject, known, found }: MissingChange): void {
    const compared = this.comparedAt(subject)
    if (compared < known) return
    this.context.reports.add({
      kind: 'lost',
      ...reportOf(subject, { known: compared, found, changes: [] }),
    })
  }

  /** The state of a subject that this process knew when it last found that Redis had lost some of it. */
  private comparedAt(subject: string): Mark {
    return this.compared.get(subject.includes('/') ? CONNECTORS : subject)?.known ?? 0
  }

  /** Notes that all connectors, as they were at a moment, are compared with what Redis holds. */
  compareConnectors(known: Mark, found: Mark): void {
    this.compared.set(CONNECTORS, { known, found })
  }

  /** Redis has no report: what is missing is reported when it is found the next time. */
  noReport(): void {
    this.missing.clear()
  }

  /** Reports again what a report lacks: Redis has gone back once more, to a moment before that was reported. */
  reportAgain(report: LostReport | undefined): void {
    const reported = new Map(report?.lost.map(({ subject, known }) => [subject, known]))
    for (const [subject, entry] of this.bySubject) {
      if (entry.known <= (reported.get(subject) ?? 0)) continue
      this.context.reports.add({ kind: 'lost', ...reportOf(subject, entry) })
    }
  }

  /** Forgets everything: an operator has accepted what Redis holds. */
  forget(): void {
    this.owned = undefined
    this.bySubject.clear()
    this.missing.clear()
    this.compared.clear()
    this.context.reports.forget()
  }

  /** The owner of a domain with the lost changes in effect. @param owner as Redis has it. */
  ownerOf(domain: string, owner: string | null): string | null {
    if (this.bySubject.size === 0) return owner
    const { added, removed } = (this.owned ??= this.findOwned())
    const gone = coveringDomain(removed, domain, true)
    const now = gone !== undefined && removed.get(gone)!.tenant === owner ? null : owner
    const name = coveringDomain(added, domain, true)
    // Another owner in Redis has claimed it since Redis went back.
    return now === null && name !== undefined ? added.get(name)!.tenant : now
  }

  /**
   * Drops lost domains that another tenant has been given since Redis went back: no name has two owners.
   *
   * @returns the tenants that they are dropped of.
   */
  overtake({ tenant, domains }: Extract<Change, { tenant: string }>): string[] {
    if (this.bySubject.size === 0 || !domains) return []
    const { added } = (this.owned ??= this.findOwned())
    const overtaken = [...domains.domains].flatMap(([name, flags]) => {
      const lost = added.get(name)
      const isOwned = flags !== null && !flags.shared && lost?.shared === false
      return isOwned && lost.tenant !== tenant ? [{ of: lost.tenant, name }] : []
    })
    for (const { of, name } of overtaken) {
      const entry = this.bySubject.get(of)
      if (!entry) continue
      const changes = entry.changes.filter(
        (change) => ![...domainsOf([change])].some(({ domain }) => domain === name),
      )
      this.keep(of, { ...entry, changes })
    }
    return overtaken.map(({ of }) => of)
  }

  private findOwned(): Owned {
    const added = new Map<string, OwnedName>()
    const removed = new Map<string, OwnedName>()
    for (const [tenant, { changes }] of this.bySubject) {
      for (const { domain, was, is } of domainsOf(changes)) {
        if (is !== null) added.set(domain, { tenant, ...parseFlags(is) })
        else if (was !== null) removed.set(domain, { tenant, ...parseFlags(was) })
      }
    }
    return { added, removed }
  }

  private add(subject: string, known: Mark, found: Mark, changes: readonly LostChange[]): void {
    const entry = this.bySubject.get(subject)
    if (!entry && this.bySubject.size >= MOST_SUBJECTS) return
    if (!subject.includes('/')) {
      this.compared.set(subject, { known: Math.max(known, this.comparedAt(subject)), found })
    }
    if (changes.length === 0) return
    const merged = new Map(entry?.changes.map((change) => [change.what, change]))
    for (const change of changes) merged.set(change.what, change)
    this.keep(subject, {
      known: Math.max(known, entry?.known ?? 0),
      found,
      changes: [...merged.values()],
    })
  }

  /** Keeps, and reports, the lost changes; forgets the subject where none is left. */
  private keep(subject: string, entry: Entry): void {
    this.owned = undefined
    if (entry.changes.length > 0) this.bySubject.set(subject, entry)
    else this.bySubject.delete(subject)
    this.context.reports.add({ kind: 'lost', ...reportOf(subject, entry) })
  }
}

function reportOf(subject: string, { known, found, changes }: Entry): LostChanges {
  const named = changes.slice(0, MOST_CHANGES)
  return { subject, known, found, changes: named, more: changes.length - named.length }
}
