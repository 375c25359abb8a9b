import { setTimeout as sleep } from 'node:timers/promises'
import { formatMessage } from '../../scripts/services/smtp'
import { randomFrom } from '../support/load'
import { signMessage } from '../support/signed'
import { accepted, type SenderKind, type SessionRecord, type Transaction } from './history'
import { SessionBroken, WitnessedSession } from './session'

/** A tenant and its mail. */
export interface Sender {
  readonly tenant: string
  readonly domain: string
  readonly address: string
  /** Half of its unregistered mail is signed by an outside domain. */
  readonly forwards?: boolean
}

/** Signs forwarded mail. */
export const OUTSIDER = { domain: 'stolen.example', type: 'ed25519' } as const

export const UNREGISTERED = 'someone@stolen.example'
/** Sessions of each tenant at the same time. */
export const SESSIONS = 4
/** The longest pause between two transactions, in ms. */
const REST = 60

const SENDERS = { registered: 35, unregistered: 50, null: 15 }
const ENDINGS = {
  dot: 52,
  rset: 12,
  quit: 5,
  leaves: 9,
  leavesAtRcpt: 6,
  leavesInData: 6,
  leavesAtDot: 6,
  tearsAtDot: 2,
  refused: 4,
  deferred: 4,
}

/** One of the keys, chosen by weight. */
export function pick<Key extends string>(
  weights: Readonly<Record<Key, number>>,
  random: number,
): Key {
  const entries = Object.entries<number>(weights) as [Key, number][]
  let left = random * entries.reduce((sum, [, weight]) => sum + weight, 0)
  return entries.find(([, weight]) => (left -= weight) < 0)?.[0] ?? entries.at(-1)![0]
}

/** Mail of all senders until stop(). The seed determines the transactions of each session. */
export class Load {
  private running = true
  private readonly streams: Promise<unknown>

  constructor(
    private readonly port: number,
    senders: readonly Sender[],
    seed: number,
    private readonly sessions: SessionRecord[],
  ) {
    const streams = senders.flatMap((sender, at) =>
      Array.from({ length: SESSIONS }, (_, number) =>
        this.stream(sender, randomFrom(seed * 1000 + at * SESSIONS + number)),
      ),
    )
    this.streams = Promise.all(streams)
    // stop() reports it.
    this.streams.catch(() => {})
  }

  /** Lets each session finish its transaction. */
  async stop(): Promise<void> {
    this.running = false
    await this.streams
  }

  private async stream(sender: Sender, random: () => number): Promise<void> {
    while (this.running) {
      try {
        await this.session(sender, random)
      } catch (error) {
        // The record has what happened; the rules decide whether it is allowed.
        if (!(error instanceof SessionBroken)) throw error
        await sleep(REST)
      }
    }
  }

  private async session(sender: Sender, random: () => number): Promise<void> {
    const { tenant, address } = sender
    const session = await WitnessedSession.open(tenant, this.port, address, this.sessions)
    const transactions = 1 + Math.floor(random() * 6)
    for (let at = 0; at < transactions && this.running; at++) {
      await sleep(random() * REST)
      if (!(await transact(session, sender, random))) return
    }
    await session.quit()
  }
}

/** One transaction, with any end. @returns whether the session goes on. */
async function transact(
  session: WitnessedSession,
  sender: Sender,
  random: () => number,
): Promise<boolean> {
  const kind = pick(SENDERS, random())
  const ending = pick(ENDINGS, random())
  const recipients = 1 + Math.floor(random() * 4)
  const sink = ending === 'refused' ? 'refuse' : ending === 'deferred' ? 'defer' : 'take'
  const transaction = await session.mail(kind, addressOf(sender, kind), sink)
  if (transaction.ending) return true
  for (let at = 0; at < recipients; at++) {
    await session.rcpt(transaction, `rcpt${at}@far.example`)
  }
  if (accepted(transaction) === 0 || ending === 'rset') {
    await session.rset(transaction)
    return true
  }
  if (ending === 'quit') {
    await session.quit(transaction)
    return false
  }
  const how = random() < 0.5 ? 'FIN' : 'RST'
  if (ending === 'leavesAtRcpt') {
    await session.leaveAtRcpt(transaction, how, 'late@far.example')
    return false
  }
  if (ending === 'leaves') {
    await session.leave(transaction, how)
    return false
  }
  if (!(await session.data(transaction))) return true
  const text = messageOf(sender, transaction)
  switch (ending) {
    case 'leavesInData':
      await session.leave(transaction, how, text.slice(0, -4))
      return false
    case 'leavesAtDot':
    case 'tearsAtDot':
      await session.leaveAtDot(transaction, ending === 'leavesAtDot' ? 'FIN' : 'RST', text)
      return false
    default:
      await session.dot(transaction, text)
      return true
  }
}

function addressOf({ domain }: Sender, kind: SenderKind): string {
  return { registered: `a@${domain}`, unregistered: UNREGISTERED, null: '' }[kind]
}

export function messageOf(sender: Sender, { id, sender: kind, sink }: Transaction): string {
  const forwarded = kind === 'unregistered' && sender.forwards === true && id.endsWith('.1')
  const message = formatMessage({
    ...{ from: addressOf(sender, kind), subject: id },
    to: forwarded ? `mailbox@${sender.domain}` : 'rcpt@far.example',
    headers: { 'X-Sink': sink },
  })
  return forwarded ? signMessage(message, OUTSIDER) : message
}
