import type { DomainsChange } from '../registry/domain-changes'
import { formatFlags, parseFlags } from '../registry/formats'
import type { LostChange } from '../registry/lost-changes'
import { restrictionInForce, settingsInForce } from './snapshot'
import type { OwnSnapshot } from './snapshot-reader'

const DOMAIN = 'domain '

/**
 * The changes that lead from what Redis holds to what is known; `undefined` where there is no such tenant.
 *
 * @param of each has a token of its own: what is written after Redis has gone back must not hide the loss of the other.
 */
export function changesBetween(
  read: OwnSnapshot | undefined,
  known: OwnSnapshot | undefined,
  of = { domains: true, settings: true },
): LostChange[] {
  const names = new Set([...(read?.domains.keys() ?? []), ...(known?.domains.keys() ?? [])])
  const fields = new Set([
    'tenant',
    ...Object.keys(read?.settings ?? {}),
    ...Object.keys(known?.settings ?? {}),
  ])
  const all = [
    ...(of.settings ? fields : []),
    ...(of.domains ? Array.from(names, (name) => DOMAIN + name) : []),
  ]
  return changesTo(
    read,
    all.map((what) => [what, valueOf(known, what)]),
  )
}

/** The changes that lead from what Redis holds to these values. */
export function changesTo(
  read: OwnSnapshot | undefined,
  values: Iterable<readonly [what: string, is: string | null]>,
): LostChange[] {
  return Array.from(values, ([what, is]) => ({ what, was: valueOf(read, what), is })).filter(
    ({ was, is }) => was !== is,
  )
}

/** What a change of accepted domains is about, as in {@link LostChange}. */
export function* domainValues({
  domains,
}: DomainsChange): Generator<[what: string, string | null]> {
  for (const [name, flags] of domains) yield [DOMAIN + name, flags && formatFlags(flags)]
}

/** A tenant with lost changes in effect. */
export interface Corrected {
  /** `undefined`: there is no such tenant. */
  readonly snapshot: OwnSnapshot | undefined
  /** The changes that Redis still lacks: it holds what it held when it went back. */
  readonly left: readonly LostChange[]
}

/** Brings lost changes into effect, except where Redis holds another value by now: that has been written since. */
export function corrected(
  read: OwnSnapshot | undefined,
  changes: readonly LostChange[],
  tenant: string,
): Corrected {
  const left = changes.filter(({ what, was, is }) => valueOf(read, what) === was && was !== is)
  const existence = left.find(({ what }) => what === 'tenant')
  if (existence ? existence.is === null : read === undefined) return { snapshot: undefined, left }
  const settings: Record<string, string> = { ...read?.settings }
  const domains = new Map(read?.domains)
  for (const { what, is } of left) {
    if (what === 'tenant') continue
    if (what.startsWith(DOMAIN)) {
      const name = what.slice(DOMAIN.length)
      if (is === null) domains.delete(name)
      else domains.set(name, parseFlags(is))
    } else if (is === null) delete settings[what]
    else settings[what] = is
  }
  const base = read ?? absent(tenant, existence!.is!)
  const modeIsLost = left.some(({ what }) => what === 'mode')
  return { snapshot: { ...base, ...settingsInForce(settings), modeIsLost, domains }, left }
}

/** The domains that changes are about: the name, and its flags before and after. */
export function* domainsOf(
  changes: readonly LostChange[],
): Generator<{ readonly domain: string; readonly was: string | null; readonly is: string | null }> {
  for (const { what, was, is } of changes) {
    if (what.startsWith(DOMAIN)) yield { domain: what.slice(DOMAIN.length), was, is }
  }
}

/** A tenant of which Redis holds nothing. */
function absent(tenant: string, created: string): OwnSnapshot {
  return {
    ...{ tenant, created, domainsToken: '', stateToken: '', domains: new Map() },
    ...settingsInForce({}),
    ...restrictionInForce(undefined),
  }
}

function valueOf(snapshot: OwnSnapshot | undefined, what: string): string | null {
  if (what === 'tenant') return snapshot?.created ?? null
  if (!what.startsWith(DOMAIN)) return snapshot?.settings[what] ?? null
  const flags = snapshot?.domains.get(what.slice(DOMAIN.length))
  return flags === undefined ? null : formatFlags(flags)
}
