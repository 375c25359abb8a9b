import { scanHash } from '../../src/store/scan'
import type { Meter } from '../../src/mail/meters'
import { formatWindow } from '../../src/mail/limits'
import type { DeliveredMessage } from '../../scripts/services/sink'
import type { Site } from './site'

/** A recipient that Redis has counted and not refunded. */
export interface Charged {
  /** Changes when a person starts the windows afresh. */
  readonly generation: string
  readonly meter: Meter
}

/** The state of a tenant in Redis. */
export interface Books {
  /** By transaction uuid. */
  readonly charged: ReadonlyMap<string, readonly Charged[]>
  /** Transactions of which Redis still holds a recipient. */
  readonly held: readonly string[]
  /** The limit in effect. */
  readonly generation: string
  readonly used: Readonly<Record<Meter, number>>
  readonly restricted: boolean
  /** Recipients counted when it tripped. */
  readonly trippedAt: number | undefined
  /** It is in the index of restricted tenants. */
  readonly indexed: boolean
}

/** The state of the site after a run. */
export interface Evidence {
  readonly log: string
  readonly delivered: readonly DeliveredMessage[]
  readonly books: Readonly<Record<string, Books>>
  /** Workers that began. */
  readonly begun: readonly number[]
  /** The ones that still run. */
  readonly running: readonly number[]
}

const WINDOW = '1h'

export async function gather(site: Site): Promise<Evidence> {
  const { haraka, history, witness } = site
  const begun = witness.beginnings().map(({ pid }) => pid)
  const tenants = Object.keys(history.allowances)
  const books = await Promise.all(tenants.map(async (id) => [id, await booksOf(site, id)] as const))
  return {
    log: haraka.log,
    delivered: haraka.sink.messages(),
    books: Object.fromEntries(books),
    begun,
    running: begun.filter(isRunning),
  }
}

async function booksOf({ relay }: Site, tenant: string): Promise<Books> {
  const { client, keys } = relay.store
  const charged = new Map<string, Charged[]>()
  const held = new Set<string>()
  for (const key of await client.keys(keys.receipt(tenant, '*'))) {
    const list: Charged[] = []
    const transaction = key.split(':receipt:')[1]!
    await scanHash(relay.store, key, 100, (_ordinal, entry) => {
      // `answer used limit window generation buckets`, see charge.lua.
      const [answer, , , , generation = '', buckets = ''] = entry.split(' ')
      if (answer === 'HELD') held.add(transaction)
      if (answer === 'FORWARDED') list.push({ generation, meter: 'forwarded' })
      if (answer !== 'CHARGED') return
      list.push({ generation, meter: buckets.startsWith('u') ? 'unregistered' : 'null' })
    })
    if (list.length > 0) charged.set(transaction, list)
  }
  const [generation, createdAt, restriction, indexed] = await Promise.all([
    client.hget(keys.usage(tenant), 'generation'),
    client.hget(keys.tenant(tenant), 'createdAt'),
    relay.restriction(tenant),
    client.sismember(keys.restricted, tenant),
  ])
  const used = async (meter: Meter) => {
    const windows = await relay.windows(tenant, meter)
    if (windows.length === 0) return 0
    return windows.find(({ window }) => formatWindow(window) === WINDOW)?.used ?? NaN
  }
  return {
    charged,
    held: [...held],
    generation: generation ?? createdAt ?? '',
    used: {
      unregistered: await used('unregistered'),
      forwarded: await used('forwarded'),
      null: await used('null'),
    },
    restricted: restriction !== undefined,
    trippedAt: restriction?.trigger?.used,
    indexed: indexed === 1,
  }
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}
