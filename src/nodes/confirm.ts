import { randomBytes } from 'node:crypto'
import { within } from '../base/deadline'
import { messageOf } from '../base/errors'
import { mapLimited } from '../base/limiter'
import { markOf, type Mark } from '../records/token'
import { anotherConnection } from '../store/connection'
import { isNotAllowed } from '../store/failure'
import type { Client, Store } from '../store/store'
import { countFollowers } from './followers'
import type { Node } from './node'
import { CONNECTORS, parseAnswer, PAUSE, questionText } from './question'
import { readNodes } from './read-nodes'

/** How long processes may take to answer, in ms. */
const PATIENCE = 1000
/** Marks read at a time. */
const AT_ONCE = 32

/** A process that has not confirmed a change, and why. */
export interface Unconfirmed {
  readonly node: Node
  /** Its own words; empty: it has not answered. */
  readonly why: string
  /** Since it last said something of itself, in ms. */
  readonly silent: number
}

/** What all processes say about a change. */
export interface Confirmation {
  /** How many have it in force, of how many. One that ends after its sessions does not count. */
  readonly inForce: number
  readonly of: number
  /** The hosts of all of them. */
  readonly hosts: number
  /** From the call for the change to the last answer, in ms. */
  readonly ms: number
  readonly missing: readonly Unconfirmed[]
  /** Further processes, of a version that cannot say. */
  readonly older: number
  /** Why they could not be asked; empty: they were. */
  readonly notAsked: string
}

/** Whether the change is in force in every process. */
export function isConfirmed({ inForce, of, older, notAsked }: Confirmation): boolean {
  return notAsked === '' && of > 0 && inForce === of && older === 0
}

/**
 * Makes a change, and asks all processes whether they have it in force. It waits no longer than {@link PATIENCE} for their
 * answers. The change stands whatever they say, also where they cannot be asked.
 *
 * @param subjects what changes: tenants, {@link CONNECTORS}, {@link PAUSE}.
 * @throws what `change` throws.
 */
export async function confirmed<T>(
  store: Store,
  subjects: readonly string[],
  change: () => Promise<T>,
): Promise<{ readonly result: T; readonly confirmation: Confirmation }> {
  const begun = performance.now()
  const inquiry = new Inquiry(store)
  try {
    const result = await change()
    const answered = await inquiry.ask(subjects).catch((error: unknown) => notAsked(error))
    return { result, confirmation: { ...answered, ms: performance.now() - begun } }
  } finally {
    inquiry.end()
  }
}

type Answered = Omit<Confirmation, 'ms'>

function notAsked(error: unknown): Answered {
  const why = isNotAllowed(error) ? 'load docs/acl/tenantctl.acl' : messageOf(error)
  return { inForce: 0, of: 0, hosts: 0, missing: [], older: 0, notAsked: why }
}

/** One question to all processes. It prepares itself while the change is being made, which waits for nothing. */
class Inquiry {
  private readonly confirm = randomBytes(8).toString('hex')
  /** Process → why it does not have the change in force, or empty. */
  private readonly answers = new Map<string, string>()
  private readonly subscriber: Client
  private readonly prepared: Promise<Known>
  private onAnswer = (): void => {}

  constructor(private readonly store: Store) {
    this.subscriber = anotherConnection(store.client)
    this.prepared = this.prepare()
    // The change may fail first.
    this.prepared.catch(() => {})
  }

  /** @throws where Redis does not answer, or does not allow it. */
  async ask(subjects: readonly string[]): Promise<Answered> {
    const { client, keys } = this.store
    const known = await within(PATIENCE, this.prepared)
    const marks = await this.marksOf(subjects)
    if (known.nodes.length > 0) {
      await client.publish(keys.changes, questionText({ confirm: this.confirm, marks }))
      await this.allOf(known.nodes)
    }
    return this.answered(known)
  }

  end(): void {
    this.subscriber.disconnect()
  }

  private async prepare(): Promise<Known> {
    const [{ now, nodes }, followers] = await Promise.all([
      readNodes(this.store),
      countFollowers(this.store),
      this.subscribe(),
    ])
    return { now, nodes: nodes.filter(({ draining }) => !draining), followers }
  }

  private async subscribe(): Promise<void> {
    const { subscriber } = this
    const channel = this.store.keys.confirmations(this.confirm)
    subscriber.on('message', (_channel: string, message: string) => this.hear(message))
    await subscriber.connect()
    await subscriber.subscribe(channel)
  }

  private hear(message: string): void {
    const answer = parseAnswer(message)
    if (!answer) return
    this.answers.set(answer.process, answer.why ?? '')
    this.onAnswer()
  }

  /** Resolves when all have answered, or the time is over. */
  private async allOf(nodes: readonly Node[]): Promise<void> {
    const all = new Promise<void>((resolve) => {
      this.onAnswer = () => {
        if (nodes.every(({ id }) => this.answers.has(id))) resolve()
      }
      this.onAnswer()
    })
    await within(PATIENCE, all).catch(() => {})
  }

  private answered({ now, nodes, followers }: Known): Answered {
    const missing = nodes.filter(({ id }) => this.answers.get(id) !== '')
    return {
      inForce: nodes.length - missing.length,
      of: nodes.length,
      hosts: new Set(nodes.map(({ host }) => host)).size,
      missing: missing.map((node) => ({
        node,
        why: this.answers.get(node.id) ?? '',
        silent: now - node.seen,
      })),
      older: Math.max(0, followers - nodes.length),
      notAsked: '',
    }
  }

  private async marksOf(subjects: readonly string[]): Promise<Map<string, Mark>> {
    const marks = await mapLimited(subjects, AT_ONCE, async (subject) => {
      return [subject, await this.markOf(subject)] as const
    })
    return new Map(marks)
  }

  /** Of the last change, which is the caller's own or a later one. */
  private async markOf(subject: string): Promise<Mark> {
    const { client, keys } = this.store
    if (subject === CONNECTORS) return markOf(await client.get(keys.connectorsToken))
    if (subject === PAUSE) return Number((await client.hget(keys.pause, 'mark')) ?? 0)
    return markOf(await client.hget(keys.tenant(subject), 'state'))
  }
}

/** What is known before processes are asked. */
interface Known {
  /** Server time, in ms since the epoch. */
  readonly now: number
  /** Those that are asked. */
  readonly nodes: readonly Node[]
  /** How many processes follow changes, known or not. */
  readonly followers: number
}
