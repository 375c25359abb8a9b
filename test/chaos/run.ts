import { setTimeout as sleep } from 'node:timers/promises'
import { waitFor } from '../../scripts/services/wait-for'
import { tenantctl } from '../../scripts/services/tenantctl'
import { REPLY } from '../support/replies'
import { now } from './clock'
import { gather, type Evidence } from './evidence'
import { FAULTS, NotNow } from './faults'
import {
  accepted,
  transactionsOf,
  type FaultRecord,
  type History,
  type SenderKind,
} from './history'
import { broken, isKept, slowestGreeting } from './invariants'
import { Load, messageOf, UNREGISTERED, type Sender } from './load'
import { LANES, scheduleOf, type Lane, type Step } from './schedule'
import { WitnessedSession } from './session'
import { filedDomain, Site, type Durability } from './site'
import { HELD_UP, TICK } from './witness'

/** The settings of a run. */
export interface RunOptions {
  readonly seed: number
  /** The duration of mail and faults, in ms. */
  readonly length: number
  /** Folder of the plugin package; default: this repository. */
  readonly package?: string
}

/** The result of a run. */
export interface RunReport extends RunOptions {
  readonly durability: Durability
  readonly history: History
  /** By rule; empty if none is broken. */
  readonly broken: Readonly<Record<string, readonly string[]>>
  /** Of all processes. */
  readonly log: string
}

/** The longest time for each recovery, in ms: shorter than recovery by age alone. */
const RECOVERY = 15_000

/** The longest time until all is settled; a replaced worker ends after its last session. */
const SETTLING = 20_000

/** One run: mail and faults for a while, then quiet, then a check of all rules. */
export async function run({ seed, length, ...options }: RunOptions): Promise<RunReport> {
  // One Redis in four writes to disk once a second, and may lose answered writes when it is killed.
  const durability: Durability = seed % 4 === 3 ? 'everysec' : 'always'
  const site = await Site.start({ durability, ...options })
  const ticker = watchOurselves(site.history)
  try {
    const load = new Load(site.haraka.port, site.senders, seed, site.history.sessions)
    const schedule = scheduleOf(FAULTS, seed, length)
    const end = now() + length
    await Promise.all(LANES.map((lane) => play(site, lane, schedule[lane], end)))
    await load.stop()
    await recover(site)
    const evidence = await settled(site)
    return {
      ...{ seed, length, durability, history: site.history, log: evidence.log },
      broken: broken(site.history, evidence),
    }
  } finally {
    clearInterval(ticker)
    await site.stop()
  }
}

/** A stalled test process makes Haraka look slow. */
function watchOurselves({ stalls }: History): NodeJS.Timeout {
  let last = now()
  return setInterval(() => {
    const at = now()
    if (at - last > TICK + HELD_UP) stalls.push({ pid: process.pid, from: last, to: at })
    last = at
  }, TICK)
}

async function play(site: Site, lane: Lane, steps: readonly Step[], end: number): Promise<void> {
  const { faults, troubles, complaints } = site.history
  for (const { kind, after, choice } of steps) {
    await sleep(Math.max(0, Math.min(after, end - now())))
    if (now() >= end) return
    const from = now()
    const record: FaultRecord = { kind, lane, from, to: Infinity, detail: '' }
    faults.push(record)
    const fault = FAULTS[kind]!
    const trouble = { from, to: Infinity }
    if (fault.troublesRedis) troubles.push(trouble)
    try {
      record.detail = (await fault.apply(site, choice)) ?? ''
    } catch (error) {
      record.skipped = (error as Error).message
      if (!(error instanceof NotNow)) complaints.push(`${kind}: ${record.skipped}`)
    }
    record.to = trouble.to = now()
  }
}

/** Checks that every worker serves every tenant correctly within the time limits, and reports what fails. */
async function recover(site: Site): Promise<void> {
  const { history, senders, relay, redis } = site
  const eventually = async (what: string, work: () => Promise<boolean>) => {
    await waitFor(work, { timeout: RECOVERY, interval: 100, what }).catch((error: Error) => {
      const cause = error.cause instanceof Error ? ` (${error.cause.message})` : ''
      history.complaints.push(`${error.message}${cause}`)
    })
  }
  await eventually('two workers', () => Promise.resolve(site.workers().length === 2))
  for (const sender of senders) {
    const { tenant, domain } = sender
    const own = `a@${domain}`
    await eventually(`registered mail of ${tenant} is accepted by all`, () =>
      byAll(site, sender, 'registered', own, isTaken),
    )
    // Each tenant is restricted and unblocked first: these messages could use up the rest of an allowance.
    const asked = now()
    const who = { by: 'chaos', reason: 'chaos' }
    await relay.restrictions.place(tenant, { ...who, scope: 'unregistered' })
    history.acts.push({ act: 'block', tenant, from: asked, to: now() })
    await eventually(`all know that ${tenant} is restricted`, () =>
      byAll(site, sender, 'unregistered', UNREGISTERED, isBlocked),
    )
    for (const removed of tenant === 'roomy' ? site.removed : []) {
      if (!isKept(history, removed.at)) continue
      await eventually(`all know that ${removed.domain} is removed`, () =>
        byAll(site, sender, 'unregistered', `a@${removed.domain}`, isBlocked),
      )
    }
    const from = now()
    const unblock = ['--redis', redis.url, 'unblock', tenant, '--reason', 'chaos']
    const { status, stderr } = await tenantctl(unblock)
    if (status !== 0) history.complaints.push(`tenantctl unblock ${tenant}: ${stderr}`)
    history.acts.push({ act: 'unblock', tenant, from, to: now() })
    await eventually(`unregistered mail of ${tenant} is accepted by all`, () =>
      byAll(site, sender, 'unregistered', UNREGISTERED, isTaken),
    )
  }
  const filed = senders.find(({ tenant }) => tenant === 'filed')!
  for (let number = 2; number <= site.filedDomains; number++) {
    const domain = filedDomain(number)
    const renamed = { ...filed, domain }
    await eventually(`${domain} is known to all`, () =>
      byAll(site, renamed, 'registered', `a@${domain}`, isTaken),
    )
  }
}

const isTaken = (reply: string): boolean => reply.startsWith('250')
const isBlocked = (reply: string): boolean => reply === REPLY.blocked

/**
 * Sends a message to each of the workers.
 *
 * @param from the sender, of that kind.
 * @returns whether the replies of all workers to MAIL and RCPT end so.
 */
async function byAll(
  site: Site,
  sender: Sender,
  kind: SenderKind,
  from: string,
  isRight: (reply: string) => boolean,
): Promise<boolean> {
  const workers = new Set(site.workers())
  for (let attempt = 0; attempt < 8 && workers.size > 0; attempt++) {
    const { sessions } = site.history
    const { tenant, address } = sender
    const session = await WitnessedSession.open(tenant, site.haraka.port, address, sessions)
    const transaction = await session.mail(kind, from, 'take')
    if (!transaction.ending) {
      await session.rcpt(transaction, 'rcpt@far.example')
      if (accepted(transaction) === 0) await session.rset(transaction)
      else if (await session.data(transaction)) {
        await session.dot(transaction, messageOf(sender, transaction))
      }
    }
    await session.quit()
    const { mail, rcpts } = transaction
    if (!isRight(rcpts.at(-1)?.reply ?? mail.reply ?? '')) return false
    workers.delete(session.record.pid)
  }
  return workers.size === 0
}

/** The state of the site when nothing is in flight, or after a bounded wait. */
async function settled(site: Site): Promise<Evidence> {
  let evidence: Evidence | undefined
  const look = async () => {
    evidence = await gather(site)
    site.history.stalls.push(...site.witness.stalls())
    return Object.keys(broken(site.history, evidence)).length === 0
  }
  await waitFor(look, { timeout: SETTLING, interval: 500 }).catch(() => {})
  return evidence ?? gather(site)
}

/** The figures of a run, in one line. */
export function figuresOf({ history, seed, durability }: RunReport): string {
  const transactions = transactionsOf(history)
  const sum = (list: readonly number[]) => list.reduce((total, each) => total + each, 0)
  const replies = transactions.flatMap(({ mail, rcpts }) => [mail, ...rcpts])
  const count = (reply: string) => replies.filter((each) => each.reply === reply).length
  const { raw, own } = slowestGreeting(history)
  const done = history.faults.filter(({ skipped }) => skipped === undefined)
  return [
    `seed ${seed} (${durability})`,
    `${done.length} faults`,
    `${history.sessions.length} sessions`,
    `${transactions.length} transactions`,
    `${transactions.filter(({ ending }) => ending === 'accepted').length} accepted`,
    `${sum(transactions.map(accepted))} recipients accepted`,
    `${count(REPLY.undecidable)} undecidable`,
    `${count(REPLY.blocked)} blocked`,
    `${transactions.filter(({ ending }) => ending === 'broken').length} broken`,
    `slowest greeting ${Math.round(raw)} ms, ${Math.round(own)} ms without stalls`,
  ].join(', ')
}

/** All faults of the site, with times in seconds. */
export function scheduleLines({ history: { faults, sessions } }: RunReport): string[] {
  const begin = sessions[0]?.exchanges[0]?.sent ?? 0
  const seconds = (at: number) => ((at - begin) / 1000).toFixed(3).padStart(8)
  return [...faults]
    .sort((a, b) => a.from - b.from)
    .map(({ kind, lane, detail, from, to, skipped }) => {
      const what = skipped === undefined ? detail : `skipped: ${skipped}`
      return `${seconds(from)} to ${seconds(to)}  ${lane.padEnd(8)}  ${kind}  ${what}`.trimEnd()
    })
}
