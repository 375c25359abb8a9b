import { usageArguments, type UsageDefaults } from '../allowance/ledger'
import { batchesOf } from '../base/lists'
import { scanHash } from '../store/scan'
import { MAIL_INCLUDES } from '../mail/scripts'
import { readScript } from '../store/script'
import type { Store } from '../store/store'
import { serverTime } from '../store/server-clock'
import { randomToken } from '../records/token'
import { resolvedId } from '../records/event-id'
import type { Forwarder } from './forwarder'
import { parseEdge, unpackOpen, type Open } from './open'
import type { Duty } from '../base/duty'

const SWEEP = readScript(__dirname, 'sweep', MAIL_INCLUDES)

/** Fields of the hash of open events, and tenants, to read at a time. */
const BATCH = 100

/**
 * Raises `resolved` for what has ended while no mail came: an edge of an allowance whose window has emptied, whose usage was
 * deleted, or whose limit was changed; and all that was open of a tenant that was removed.
 *
 * @param defaults of a tenant that has no limits or mode of its own.
 */
export function resolveEnded(
  store: Store,
  forwarder: Forwarder,
  defaults: () => UsageDefaults,
): Duty {
  return {
    name: 'allowances that are below their percentages again',
    every: 30_000,
    run: async () => {
      const open = await openByTenant(store)
      for (const batch of batchesOf([...open], BATCH)) {
        await Promise.all(
          batch.map(([tenant, all]) => sweep(store, forwarder, defaults(), tenant, all)),
        )
      }
    },
  }
}

async function openByTenant(store: Store): Promise<Map<string, Open[]>> {
  const open = new Map<string, Open[]>()
  await scanHash(store, store.keys.eventsOpen, BATCH, (field, value) => {
    const one = unpackOpen(field, value)
    open.set(one.tenant, [...(open.get(one.tenant) ?? []), one])
  })
  return open
}

async function sweep(
  store: Store,
  forwarder: Forwarder,
  defaults: UsageDefaults,
  tenant: string,
  open: readonly Open[],
): Promise<void> {
  const { keys } = store
  const edges = open.flatMap(({ edge }) => edge ?? [])
  const reply = await store.run(
    SWEEP,
    [keys.tenant(tenant), keys.usage(tenant), keys.restriction(tenant)],
    [edges.join(','), randomToken(), ...usageArguments(defaults)],
  )
  if (reply === -1) await endAll(store, forwarder, tenant, open)
  else if (reply !== 0) forwarder.pending(tenant)
}

/** The tenant was removed, and its hash with it, so these events go to the stream directly. */
async function endAll(
  { client, keys }: Store,
  forwarder: Forwarder,
  tenant: string,
  open: readonly Open[],
): Promise<void> {
  const at = await serverTime(client)
  for (const { kind, event, edge = '', rule } of open) {
    // A removed tenant is not restricted, and no person has lifted that: no event.
    if (kind === 'restricted') await client.hdel(keys.eventsOpen, `restricted\t${tenant}\t`)
    const id = resolvedId(event)
    const facts = { kind: 'resolved' as const, id, at, resolves: event }
    if (kind === 'allowance') {
      await forwarder.publish(tenant, { ...facts, of: kind, ...parseEdge(edge) })
    } else if (kind === 'unusual') {
      await forwarder.publish(tenant, { ...facts, of: kind, rule: rule! })
    }
  }
}
