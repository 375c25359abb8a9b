import type { Command } from 'commander'
import { addEntry } from '../../records/audit-trail'
import type { Store } from '../../store/store'
import {
  confirmEpoch,
  ensureEpoch,
  lookAtRegistry,
  readEpoch,
  type Epoch,
} from '../../registry/epoch'
import { placeOf } from '../../store/connection'
import { forgetLost } from '../../registry/lost-changes'
import { contextOf, type Context } from '../kit/context'
import type { Io } from '../kit/io'
import { manual } from '../kit/manual'
import { count } from '../../base/count'

/** `tenantctl init` */
export function add(program: Command, io: Io): void {
  const command = program
    .command('init')
    .description(
      'begin an empty registry (tenants, domains, connectors); --force: accept the current content of Redis as the registry',
    )
    .option('--force', 'even though Haraka has another registry: it drops what is not in Redis')
    .action(async ({ force }: { force?: boolean }, self: Command) => {
      const context = contextOf(io, self)
      if (force) {
        await context.connected(async (store, config) => {
          await confirm(context, await context.signed(store, config.redis))
        })
      } else await begin(context)
    })
  manual(command, {
    examples: ['init', 'init --force'],
    json: [
      'result: created | unchanged | confirmed (with --force)',
      'epoch, schema: of the registry',
      'tenants, restricted: how many Redis holds',
    ],
    exit: { 4: 'Redis has lost the registry that Haraka knows (restore it, or --force)' },
  })
}

async function begin(context: Context): Promise<void> {
  // The snapshot file shows whether Redis has lost a registry.
  context.needed('outage')
  await context.unharmed(async (unsigned, { redis }) => {
    const store = await context.signed(unsigned, redis)
    const before = await readEpoch(store)
    const epoch = await ensureEpoch(store)
    const result = before ? 'unchanged' : 'created'
    const place = placeOf(redis)
    const sentence = before ? `${place} has a registry already` : `a registry has begun in ${place}`
    await tell(context, store, epoch, result, (held) => `${sentence}: ${held}`)
  })
}

async function confirm(context: Context, store: Store): Promise<void> {
  await addEntry(store, store.keys.tenantsAudit, {
    subject: '',
    what: 'registry confirmed',
    to: `${inWords(await heldBy(store))}; what only Haraka had is dropped`,
  })
  await store.client.del(store.keys.restore)
  const epoch = await confirmEpoch(store, undefined, { lifts: true })
  const { accepted } = await lookAtRegistry(store)
  await forgetLost(store, accepted)
  await tell(
    context,
    store,
    epoch,
    'confirmed',
    (held) =>
      `the current content of Redis is the registry from now on: ${held}. Haraka drops all other tenants from its cache, and restrictions that are not in Redis are lifted`,
  )
}

async function tell(
  { out }: Context,
  store: Store,
  { epoch, schema }: Epoch,
  result: string,
  sentence: (held: string) => string,
): Promise<void> {
  const held = await heldBy(store)
  out.result({ result, epoch, schema, ...held }, () => out.line(sentence(inWords(held))))
}

interface Held {
  readonly tenants: number
  readonly restricted: number
}

async function heldBy(store: Store): Promise<Held> {
  const { tenants } = await lookAtRegistry(store)
  return { tenants, restricted: await store.client.scard(store.keys.restricted) }
}

function inWords({ tenants, restricted }: Held): string {
  return `${count(tenants, 'tenant')}, ${restricted} restricted`
}
