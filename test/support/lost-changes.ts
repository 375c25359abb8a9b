import { TenantRegistry } from '../../src/registry/tenant-registry'
import { formatFlags } from '../../src/registry/formats'
import { reportLost, type Finding, type LostChange } from '../../src/registry/lost-changes'
import { serverTime } from '../../src/store/server-clock'
import type { Store } from '../../src/store/store'
import { Registries } from './registries'

/** By subject: each value under the name that reports of lost changes give it. */
export type Values = ReadonlyMap<string, ReadonlyMap<string, string>>

/** All that is registered, as values. */
export async function valuesOf(store: Store): Promise<Values> {
  const values = new Map<string, Map<string, string>>()
  for (const { id, createdAt, ...settings } of await new TenantRegistry(store).list()) {
    const own = new Map([['tenant', String(createdAt)]])
    for (const [field, value] of Object.entries(settings)) if (value) own.set(field, value)
    for (const { domain, ...flags } of await new Registries(store).domains.list(id)) {
      own.set(`domain ${domain}`, formatFlags(flags))
    }
    values.set(id, own)
  }
  const connectors = await store.client.hgetall(store.keys.connectors)
  for (const [id, json] of Object.entries(connectors))
    values.set(id, new Map([['connector', json]]))
  return values
}

/** Reports what Redis has lost, as a process would that knows all of `before`; Redis holds `now`. */
export async function reportDifferences(store: Store, before: Values, now: Values): Promise<void> {
  const known = (await serverTime(store.client)) * 1000
  const subjects = [...new Set([...before.keys(), ...now.keys()])]
  const findings = subjects.map((subject): Finding => ({
    ...{ kind: 'lost', subject, known, found: known - 1_000_000, more: 0 },
    changes: differences(before.get(subject), now.get(subject)),
  }))
  await reportLost(store, findings)
}

function differences(
  before: ReadonlyMap<string, string> = new Map(),
  now: ReadonlyMap<string, string> = new Map(),
): LostChange[] {
  const names = [...new Set([...before.keys(), ...now.keys()])]
  return names
    .map((what) => ({ what, was: now.get(what) ?? null, is: before.get(what) ?? null }))
    .filter(({ was, is }) => was !== is)
}

/** All keys of a site as they are now: calling what it returns makes Redis go back to them. */
export async function savedKeys({ client, keys }: Store): Promise<() => Promise<void>> {
  const names = (): Promise<string[]> => client.keys(`${keys.prefix}*`)
  const saved = await Promise.all(
    (await names()).map(async (name) => [name, await client.dumpBuffer(name)] as const),
  )
  return async () => {
    const there = await names()
    if (there.length > 0) await client.del(...there)
    for (const [name, value] of saved) await client.restore(name, 0, value)
  }
}
