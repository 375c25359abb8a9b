import { setTimeout as sleep } from 'node:timers/promises'
import { Ledger } from '../../src/allowance/ledger'
import { Restrictions } from '../../src/allowance/restriction'
import type { Store } from '../../src/store/store'
import { DEFAULTS, PATIENCE, ROOMY } from '../charge'
import { connections, usedMemory } from '../measure'
import { registerTenant, seedAddresses, seedTenants, type Sender } from '../seed'
import { startServers, type Servers } from '../servers'
import { heldBy, WITNESS, type Held } from '../witness'
import { kindOf, SoakMail, type Slice } from './mail'
import { TakenOver, type Episode } from './taken-over'

/** How long a run takes, and how large it is. */
export interface Plan {
  readonly seed: number
  readonly tenants: number
  readonly sessions: number
  readonly workers: number
  /** ms before anything is measured. */
  readonly warmUp: number
  readonly rounds: number
  /** ms of mail in a round. */
  readonly slice: number
  /** A tenant is taken over in one round of this many. */
  readonly roundsAnEpisode: number
  /** Its allowance. */
  readonly allowance: number
  /** `[redis] command_timeout`, in ms. */
  readonly commandTimeout: number
}

/** The measurements of a round. */
export interface Round extends Slice {
  /** Minutes since the first round began. */
  readonly minute: number
  /** The memory of each worker at the end, without sessions. */
  readonly held: readonly Held[]
  /** Memory of Redis in bytes, and connections to it. */
  readonly redis: number
  readonly connections: number
}

/** The results of a run. */
export interface Soak {
  readonly rounds: readonly Round[]
  readonly episodes: readonly Episode[]
  readonly answers: SoakMail['answers']
  /** Memory of Redis in bytes, with receipts and after they were removed. */
  readonly receipts: {
    readonly count: number
    readonly withThem: number
    readonly without: number
    /** The same after the warm-up. */
    readonly withoutAtFirst: number
  }
  /** Recipients that had to be counted, and counted ones. */
  readonly counted: { readonly clients: number; readonly redis: number }
  readonly failures: readonly string[]
}

const VICTIM = { id: 'taken-over', domain: 'taken-over.com', ip: '127.2.0.1' }
/** A log line at these levels is a failure, from any plugin (logger.js, DEFAULT format). */
const ERROR = /^(?:\S+ )?\[(?:ERROR|CRIT|ALERT|EMERG)\]/
const DEATH = /worker \d+ (?:killed by signal|exited with error)/

/** Whether a line of Haraka's log reports a failure. */
export function isFailure(line: string): boolean {
  return ERROR.test(line) || DEATH.test(line)
}

/** Loads a Haraka round by round, and measures its memory after each. */
export async function soak(plan: Plan, say: (step: string) => void): Promise<Soak> {
  say('starting')
  let tenants: readonly Sender[] = []
  const servers = await startServers(
    async (store) => void (tenants = await fill(store, plan)),
    (redis) => ({
      ours: {
        ...{ redis, nodes: plan.workers },
        plugins: [WITNESS.name, 'unregistered-domain'],
        localPlugins: { [WITNESS.name]: WITNESS.text },
        settings: { null: { limits: ROOMY }, redis: { command_timeout: plan.commandTimeout } },
      },
    }),
  )
  try {
    return await run(plan, servers, tenants, say)
  } finally {
    await servers.stop()
  }
}

async function fill(store: Store, { tenants: count, allowance }: Plan): Promise<Sender[]> {
  await registerTenant(store, VICTIM, { limits: `${allowance}/1h` })
  const { idAt } = await seedTenants(store, count, { limits: ROOMY })
  const ips = await seedAddresses(store, count, idAt)
  const tenants = ips.map((ip, number) => ({ id: idAt(number), domain: `${idAt(number)}.com`, ip }))
  const act = { scope: 'unregistered', by: 'soak', reason: 'to be refused' } as const
  for (const [number, { id }] of tenants.entries()) {
    if (kindOf(number) === 'restricted') await new Restrictions(store).place(id, act)
  }
  return tenants
}

async function run(
  plan: Plan,
  { harakas, store }: Servers<'ours'>,
  tenants: readonly Sender[],
  say: (step: string) => void,
): Promise<Soak> {
  const { port } = harakas.ours
  // At its start Haraka misses its TLS files.
  const from = harakas.ours.log.length
  harakas.ours.keepLog(isFailure)
  const mail = new SoakMail(port, tenants, plan.sessions, plan.seed)
  const takenOver = new TakenOver(port, VICTIM, plan.allowance, new Restrictions(store))

  say('warming up')
  const episodes = [await takenOver.episode()]
  await mail.send(plan.warmUp)
  const first = await heldBy(harakas.ours, plan.workers)
  const { usedMemory: withoutAtFirst } = await removeReceipts(store)

  const rounds: Round[] = []
  const begin = performance.now()
  for (let number = 0; number < plan.rounds; number++) {
    say(`round ${number + 1} of ${plan.rounds}`)
    const takes = number % plan.roundsAnEpisode === 0
    const [slice, episode] = await Promise.all([
      mail.send(plan.slice),
      takes ? takenOver.episode() : undefined,
    ])
    if (episode) episodes.push(episode)
    rounds.push({
      ...slice,
      minute: (performance.now() - begin) / 60_000,
      held: await heldBy(harakas.ours, plan.workers),
      redis: await usedMemory(store.client),
      connections: await connections(store.client),
    })
  }

  const withThem = await usedMemory(store.client)
  const counted = { clients: mail.counted, redis: await countedBy(store, tenants) }
  const { count, usedMemory: without } = await removeReceipts(store)
  const failures = [
    ...mail.failures,
    ...harakas.ours.log.slice(from).split('\n').filter(isFailure),
    ...(harakas.ours.ended ? ['Haraka has ended'] : []),
    ...(pids(first) === pids(rounds.at(-1)!.held) ? [] : ['a worker was replaced']),
    ...episodes.flatMap((episode) => episode.failures),
  ]
  const receipts = { count, withThem, without, withoutAtFirst }
  return { rounds, episodes, answers: mail.answers, receipts, counted, failures }
}

function pids(held: readonly Held[]): string {
  return held.map(({ pid }) => pid).join(' ')
}

/** Recipients that Redis has counted. */
async function countedBy(store: Store, tenants: readonly Sender[]): Promise<number> {
  const ledger = new Ledger(store, PATIENCE)
  let counted = 0
  for (const { id } of tenants) {
    const usage = await ledger.usage(id, DEFAULTS)
    // The longest window: a run may be longer than the other.
    for (const meter of ['unregistered', 'null'] as const) {
      counted += usage?.[meter].at(-1)?.used ?? 0
    }
  }
  return counted
}

/** Removes all receipts, as an hour does. Returns how many there were, and the memory of Redis in bytes after it. */
async function removeReceipts(store: Store): Promise<{ count: number; usedMemory: number }> {
  const { client, keys } = store
  let [count, cursor] = [0, '0']
  do {
    const [next, names] = await client.scan(cursor, 'MATCH', keys.receipt('*', '*'), 'COUNT', 1_000)
    if (names.length > 0) count += await client.unlink(...names)
    cursor = next
  } while (cursor !== '0')
  // Redis frees the memory gradually in the background.
  let [least, unchanged] = [Infinity, 0]
  while (unchanged < 5) {
    const now = await usedMemory(client)
    unchanged = now < least ? 0 : unchanged + 1
    least = Math.min(least, now)
    await sleep(100)
  }
  return { count, usedMemory: least }
}
