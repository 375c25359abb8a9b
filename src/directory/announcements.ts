import { LruCache } from '../base/lru-cache'
import { markOf, type Mark } from '../records/token'
import type { Change } from '../registry/changes'
import type { tenantMark } from '../registry/lost-changes'
import type { RegistryMonitor } from './registry-monitor'
import { domainValues } from './tenant-changes'

/** Announced changes that are remembered, over all tenants, and of one tenant. */
const MOST_HEARD = 100_000
const MOST_OF_TENANT = 1000

/** What has been announced of the domains of a tenant, or of the rest. */
export interface HeardPart {
  /** The last change. */
  readonly mark: Mark
  /** The values that were announced, as in {@link LostChange}; `undefined`: not all of them are known. */
  readonly values: ReadonlyMap<string, string | null> | undefined
}

/** What has been announced of a tenant. */
export interface Heard {
  readonly domains: HeardPart
  readonly settings: HeardPart
  /** The last change of which a version before this one has not said what it is about. */
  readonly unknown: Mark
  /** The tenant was removed. */
  readonly removed: boolean
}

/** Nothing has been announced. */
const NOTHING: HeardPart = { mark: 0, values: new Map() }
const NOTHING_HEARD: Heard = { domains: NOTHING, settings: NOTHING, unknown: 0, removed: false }

/** Tokens of a tenant, as in its hash. */
type Tokens = Parameters<typeof tenantMark>[0]

/**
 * What has been announced of tenants, cached or not: of those that are not, a process knows only that. A restriction or a
 * lift is kept elsewhere.
 */
export class Announcements {
  private readonly heard = new LruCache<Heard>(MOST_HEARD, sizeOf)

  constructor(private readonly registry: Pick<RegistryMonitor, 'hasLost'>) {}

  /** `undefined`: nothing has been announced. */
  of(tenant: string): Heard | undefined {
    return this.heard.get(tenant)
  }

  /** Notes what was announced about a tenant: Redis held it then. */
  hear({ tenant, token, about, domains }: Extract<Change, { tenant: string }>): void {
    const mark = markOf(token)
    const before = this.heard.get(tenant)
    const heard = before?.removed === false ? before : NOTHING_HEARD
    switch (about.what) {
      case 'removal':
        return this.note(tenant, {
          ...NOTHING_HEARD,
          settings: { ...NOTHING, mark },
          removed: true,
        })
      case 'domains': {
        const part = heardPart(heard.domains, mark, domains && domainValues(domains))
        return this.note(tenant, { ...heard, domains: part })
      }
      case 'settings': {
        const part = heardPart(heard.settings, mark, about.settings)
        return this.note(tenant, { ...heard, settings: part })
      }
      case 'unknown':
        return this.note(tenant, {
          ...heard,
          domains: { ...heard.domains, values: undefined },
          settings: { ...heard.settings, values: undefined },
          unknown: mark,
        })
    }
  }

  /** Tenants of which a change was announced. */
  tenants(): string[] {
    return this.heard.keys()
  }

  /**
   * Compares what was announced of a tenant with its tokens in Redis, after a time in which announcements may have been
   * missed.
   *
   * @returns whether Redis has lost some of it.
   */
  compare(tenant: string, tokens: Tokens): boolean {
    const heard = this.heard.get(tenant)
    if (heard === undefined) return false
    if (this.lost(heard, tokens).length > 0) return true
    const missed = {
      domains: afterMissed(heard.domains, markOf(tokens.domainsToken)),
      settings: afterMissed(heard.settings, markOf(tokens.stateToken)),
    }
    this.heard.set(tenant, { ...heard, ...missed })
    return false
  }

  /** What was announced of a tenant, and Redis has lost. */
  lost({ domains, settings, unknown }: Heard, tokens: Tokens | undefined): HeardPart[] {
    const found = markOf(tokens?.domainsToken, tokens?.stateToken)
    return [
      ...(this.registry.hasLost(unknown, found) ? [{ mark: unknown, values: undefined }] : []),
      ...(this.registry.hasLost(domains.mark, markOf(tokens?.domainsToken)) ? [domains] : []),
      ...(this.registry.hasLost(settings.mark, markOf(tokens?.stateToken)) ? [settings] : []),
    ]
  }

  private note(tenant: string, heard: Heard): void {
    this.heard.set(tenant, heard)
  }
}

/** With what has just been announced; `undefined`: that is not said. */
function heardPart(
  { values: before }: HeardPart,
  mark: Mark,
  values: Iterable<readonly [string, string | null]> | undefined,
): HeardPart {
  if (!before || !values) return { mark, values: undefined }
  const all = new Map([...before, ...values])
  return { mark, values: all.size > MOST_OF_TENANT ? undefined : all }
}

/** A later change was missed, so what was announced before may not be the last word. */
function afterMissed(part: HeardPart, found: Mark): HeardPart {
  return found > part.mark ? { mark: found, values: undefined } : part
}

/** What was announced after the tenant was read, or may be a lift, whose content was not read. */
export function unread(heard: Heard, snapshot: Tokens | undefined): Heard {
  const { domains, settings } = heard
  return {
    ...heard,
    domains: markOf(snapshot?.domainsToken) < domains.mark ? domains : NOTHING,
    settings: markOf(snapshot?.stateToken) < settings.mark ? settings : NOTHING,
  }
}

function sizeOf({ domains, settings }: Heard): number {
  return 1 + (domains.values?.size ?? 0) + (settings.values?.size ?? 0)
}
