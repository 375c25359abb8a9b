import { count } from '../base/count'
import { InputError, UserError } from '../base/errors'
import { batchesOf, grouped } from '../base/lists'
import type { Connector } from '../mail/tenant'
import { findInconsistencies, repair } from '../registry/consistency/consistency'
import { ConnectorRegistry } from '../registry/connector-registry'
import { removeEntries, type DomainEntry } from '../registry/domain-entries'
import { finishMove, unfinishedMoves } from '../registry/domain-move'
import { DomainRegistry } from '../registry/domain-registry'
import { parseFlags, unpackDomain } from '../registry/formats'
import { markTime, OWNERS, reportLost } from '../registry/lost-changes'
import { readClaims } from '../registry/owners'
import { reconcileClaims } from '../registry/reconcile'
import {
  normalizeSettings,
  SETTINGS,
  TenantRegistry,
  tenantExists,
} from '../registry/tenant-registry'
import type { Store } from '../store/store'
import {
  domainOf,
  note,
  readWentBack,
  toConnector,
  type KnownChange,
  type WentBack,
} from './lost-changes'
import { finishRemoval, removeTenant } from './remove-tenant'

/** Connectors, and reports, written at a time. */
const BATCH = 200

/** A change that could not be written, with the reason, for people. */
export interface LeftOut extends KnownChange {
  readonly why: string
}

/** The result of {@link restoreKnown}. */
export interface Restored {
  readonly written: readonly KnownChange[]
  /** Redis held them already, or something else was written since. */
  readonly skipped: readonly KnownChange[]
  readonly leftOut: readonly LeftOut[]
}

/**
 * Writes the changes that Redis has lost and processes know, where nothing else was written since: what is removed first,
 * then tenants, moves of domains, and what is added. What cannot be written is left out. Repeating an interrupted call
 * completes it.
 *
 * @throws what ioredis throws.
 */
export async function restoreKnown(
  store: Store,
  before: WentBack,
  { by, reason }: { readonly by: string; readonly reason: string },
): Promise<Restored> {
  const lost = before.changes.filter(({ state }) => state === 'lost')
  await note(store, 'lost changes restored', count(lost.length, 'change'), reason)
  const restoration = new Restoration(store, by)
  await restoration.run(before.changes)
  const owners = before.lost.find(({ subject }) => subject === OWNERS)
  if (owners) await repair(store, await findInconsistencies(store))

  const after = await readWentBack(store)
  const still = new Set(after?.changes.filter(({ state }) => state === 'lost').map(nameOf))
  const leftOut = lost
    .filter((change) => still.has(nameOf(change)))
    .map((change) => ({ ...change, why: restoration.reasonOf(change) }))
  await withdraw(store, before, leftOut)
  return {
    written: lost.filter((change) => !still.has(nameOf(change))),
    skipped: before.changes.filter(({ state }) => state !== 'lost'),
    leftOut,
  }
}

/** Withdraws what is resolved from the report. */
async function withdraw(
  store: Store,
  { lost }: WentBack,
  leftOut: readonly LeftOut[],
): Promise<void> {
  const left = new Set(leftOut.map(nameOf))
  const findings = lost.map((each) => ({
    kind: 'lost' as const,
    ...each,
    changes: each.changes.filter(({ what }) => left.has(nameOf({ ...each, what }))),
  }))
  for (const batch of batchesOf(findings, BATCH)) await reportLost(store, batch)
}

/** Writes lost changes, one step after the other; each tolerates that some of it is written already. */
class Restoration {
  private readonly reasons = new Map<string, string>()
  private readonly tenants: TenantRegistry
  private readonly domains: DomainRegistry
  private readonly connectors: ConnectorRegistry

  constructor(
    private readonly store: Store,
    private readonly by: string,
  ) {
    this.tenants = new TenantRegistry(store)
    this.domains = new DomainRegistry(store)
    this.connectors = new ConnectorRegistry(store)
  }

  async run(changes: readonly KnownChange[]): Promise<void> {
    const lost = changes.filter(({ state }) => state === 'lost')
    const ofConnectors = lost.filter(({ what }) => what === 'connector')
    const ofDomains = lost.filter(({ what }) => domainOf(what) !== undefined)
    const removed = ofDomains.filter(({ is }) => is === null)
    const put = ofDomains.filter(({ is }) => is !== null)
    const arriving = new Set(put.map(({ what }) => what))

    await this.finishMoves(changes)
    await this.removeDomains(removed.filter(({ what }) => !arriving.has(what)))
    await this.writeConnectors(ofConnectors.filter(({ is }) => is === null))
    await this.writeTenants(changes)
    await this.moveDomains(put)
    // What could not be moved.
    await this.removeDomains(removed.filter(({ what }) => arriving.has(what)))
    await this.putDomains(put)
    await this.writeConnectors(ofConnectors.filter(({ is }) => is !== null))
    await this.reconcile(changes)
  }

  /** Why a change was not written. */
  reasonOf(change: KnownChange): string {
    return this.reasons.get(nameOf(change)) ?? 'it was changed meanwhile'
  }

  private refuse(changes: readonly KnownChange[], why: string): void {
    for (const change of changes) this.reasons.set(nameOf(change), why)
  }

  private async finishMoves(changes: readonly KnownChange[]): Promise<void> {
    const names = new Set(changes.map(({ what }) => domainOf(what)))
    for (const move of await unfinishedMoves(this.store)) {
      if (names.has(move.domain)) await finishMove(this.store, move, this.by)
    }
  }

  private async removeDomains(changes: readonly KnownChange[]): Promise<void> {
    for (const [tenant, of] of grouped(changes, ({ subject }) => subject)) {
      const names = of.map(({ what }) => domainOf(what)!)
      await removeEntries(this.store, tenant, names, 'any')
      await reconcileClaims(this.store, tenant, names)
    }
  }

  private async writeTenants(changes: readonly KnownChange[]): Promise<void> {
    const ofTenants = changes.filter(({ subject }) => !subject.includes('/'))
    for (const [id, all] of grouped(ofTenants, ({ subject }) => subject)) {
      const tenant = all.find(({ what }) => what === 'tenant')
      const settings = all.filter(
        ({ what, state }) => state === 'lost' && domainOf(what) === undefined,
      )
      const write = async (): Promise<void> => {
        if (tenant?.is === null) {
          if (tenant.state === 'lost') await removeTenant(this.store, id, this.by)
          else if (tenant.state === 'restored') await finishRemoval(this.store, id)
        } else if (settings.length > 0) await this.writeSettings(id, settings)
      }
      await attempt(write, (why) => this.refuse(all, why))
    }
  }

  private async writeSettings(id: string, changes: readonly KnownChange[]): Promise<void> {
    const value = (field: string): string | undefined =>
      changes.find(({ what }) => what === field)?.is ?? undefined
    const fields = changes.filter(({ what }) => (SETTINGS as readonly string[]).includes(what))
    const settings = normalizeSettings(Object.fromEntries(fields.map(({ what, is }) => [what, is])))
    const [source, created] = [value('source'), value('tenant')]
    const createdAt = created === undefined ? undefined : toTime(created)
    if (await tenantExists(this.store, id)) {
      await this.tenants.set(id, settings, {
        ...(source !== undefined && { source }),
        ...(createdAt !== undefined && { createdAt }),
      })
    } else await this.tenants.add(id, settings, source ?? this.by, createdAt)
  }

  /** Moves what another tenant still owns only because Redis went back: its entry is older than the change. */
  private async moveDomains(changes: readonly KnownChange[]): Promise<void> {
    const { client, keys } = this.store
    const names = changes.map(({ what }) => domainOf(what)!)
    const claims = await readClaims(this.store, names)
    for (const [at, { subject, known, is }] of changes.entries()) {
      const owner = claims[at]?.tenant
      const domain = names[at]!
      if (owner === undefined || owner === subject || parseFlags(is!).shared) continue
      const entry = await client.hget(keys.domains(owner), domain)
      if (entry === null) await reconcileClaims(this.store, owner, [domain])
      else if (unpackDomain(domain, entry).addedAt < markTime(known)) {
        // If it is refused, so is the addition, which says why.
        await attempt(
          () => this.domains.move(domain, subject, this.by),
          () => {},
        )
      }
    }
  }

  private async putDomains(changes: readonly KnownChange[]): Promise<void> {
    for (const [tenant, of] of grouped(changes, ({ subject }) => subject)) {
      await this.writeEach(of, (some) => this.domains.put(tenant, some.map(entryOf), this.by))
    }
  }

  private async writeConnectors(changes: readonly KnownChange[]): Promise<void> {
    // Those that give up an identity before those that take one.
    const ordered = [...changes].sort((a, b) => Number(a.was === null) - Number(b.was === null))
    for (const batch of batchesOf(ordered, BATCH)) {
      await this.writeEach(batch, (some) => this.bringBack(some))
    }
  }

  private async bringBack(changes: readonly KnownChange[]): Promise<void> {
    for (const { subject, is } of changes) {
      const tenant = subject.split('/')[0]!
      if (is !== null && !(await tenantExists(this.store, tenant))) {
        throw new InputError(`there is no tenant ${tenant}`)
      }
    }
    await this.connectors.bringBack(
      changes.map(({ subject, was, is }) => ({
        id: subject,
        was: was === null ? undefined : readableConnector(subject, was),
        is: is === null ? undefined : readableConnector(subject, is),
      })),
    )
  }

  /** Completes what an interrupted call has written. */
  private async reconcile(changes: readonly KnownChange[]): Promise<void> {
    const ofDomains = changes.filter(({ what }) => domainOf(what) !== undefined)
    for (const [tenant, of] of grouped(ofDomains, ({ subject }) => subject)) {
      const names = of.map(({ what }) => domainOf(what)!)
      await reconcileClaims(this.store, tenant, names)
    }
  }

  /** Writes all of them together; if that is refused, each that can be, as often as that helps the others. */
  private async writeEach(
    changes: readonly KnownChange[],
    write: (changes: readonly KnownChange[]) => Promise<unknown>,
  ): Promise<void> {
    let left = changes
    let done = await attempt(
      () => write(left),
      (why) => this.refuse(left, why),
    )
    while (!done) {
      const refused: KnownChange[] = []
      for (const change of left) {
        const refuse = (why: string): void => {
          refused.push(change)
          this.refuse([change], why)
        }
        await attempt(() => write([change]), refuse)
      }
      done = refused.length === left.length || refused.length === 0
      left = refused
    }
  }
}

/** @returns whether it was done; `refuse` is told why it was not. @throws what is not for people. */
async function attempt(
  write: () => Promise<unknown>,
  refuse: (why: string) => void,
): Promise<boolean> {
  try {
    await write()
    return true
  } catch (error) {
    if (!(error instanceof UserError)) throw error
    refuse(error.message)
    return false
  }
}

function entryOf({ what, is }: KnownChange): DomainEntry {
  return { domain: domainOf(what)!, ...parseFlags(is!) }
}

function readableConnector(id: string, json: string): Connector {
  const connector = toConnector(id, json)
  if (connector) return connector
  throw new InputError(`the report about connector ${id} cannot be read`)
}

function toTime(text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text)
  throw new InputError(`"${text}" is no time`)
}

function nameOf({ subject, what }: Pick<KnownChange, 'subject' | 'what'>): string {
  return `${subject} ${what}`
}
