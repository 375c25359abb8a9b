import { readScript } from '../store/script'
import type { Store } from '../store/store'
import { EndedProcesses } from './ended'
import { HEARTBEAT, LATE, MISSING, MOST_NODES, type NodeFacts } from './node'

const BEAT = readScript(__dirname, 'heartbeat')
const LEAVE = readScript(__dirname, 'leave')

/** What a process says of itself. */
export interface Said {
  readonly facts: NodeFacts
  /** Digest → the configuration, as JSON. */
  readonly configs: ReadonlyMap<string, string>
}

/**
 * Says every few seconds that this process is there, and what it is. Only while it does so can commands count on it. Never
 * throws and never rejects.
 */
export class Heartbeat {
  private readonly ended: EndedProcesses
  private timer: NodeJS.Timeout | undefined
  private sending: Promise<void> | undefined
  /** Digests that Redis has asked for. */
  private wanted: ReadonlySet<string> = new Set()
  /** Since when each heartbeat was noted, by the monotonic clock. */
  private since: number | undefined
  private draining = false
  /** When it was last said since a connection was made; monotonic ms. */
  private connectedAt = -Infinity

  /**
   * @param say what this process says now. `draining`: it ends after its sessions.
   * @param onError why Redis has not noted it.
   */
  constructor(
    private readonly store: Store,
    private readonly say: (draining: boolean) => Said,
    private readonly onError: (error: unknown) => void,
  ) {
    this.ended = new EndedProcesses(store)
  }

  /** For how long all have been noted, in ms. */
  get noted(): number {
    return this.since === undefined ? 0 : performance.now() - this.since
  }

  /** Says it now, whenever a connection is made, and every few seconds. */
  start(): void {
    if (this.timer) return
    this.timer = setInterval(() => this.beat(), HEARTBEAT).unref()
    this.store.client.on('ready', this.again)
    this.sayAgain()
  }

  /** Says that this process ends after its sessions, until {@link stop}. */
  drain(): void {
    this.draining = true
    this.sayAgain()
  }

  /** Says no more, and is no longer counted. Resolves when that is done, or Redis is away. */
  async stop(): Promise<void> {
    if (!this.timer) return
    clearInterval(this.timer)
    this.timer = undefined
    this.store.client.off('ready', this.again)
    await this.sending
    const { keys } = this.store
    const { id } = this.say(this.draining).facts
    await this.store.run(LEAVE, [keys.nodes, keys.nodesSeen], [id]).catch(() => {})
  }

  /** Says it now: it has changed. */
  sayAgain(): void {
    if (this.timer && this.store.client.status === 'ready') this.beat()
  }

  /** At most once in a period: a replica refuses it, and then the connection is made anew (READONLY, `store/connection.ts`). */
  private readonly again = (): void => {
    const now = performance.now()
    if (now - this.connectedAt < HEARTBEAT) return
    this.connectedAt = now
    this.sayAgain()
  }

  private beat(): void {
    this.sending ??= this.send().finally(() => (this.sending = undefined))
  }

  private async send(): Promise<void> {
    const { facts, configs } = this.say(this.draining)
    try {
      const reply = await this.note(facts, configs)
      if (!reply) throw new Error(`${MOST_NODES} processes are known already`)
      const [late, ...wanted] = reply
      this.since ??= performance.now()
      this.wanted = new Set(wanted.filter((digest) => configs.has(digest)))
      await this.ended.look(facts, late > 0)
    } catch (error) {
      this.since = undefined
      this.onError(error)
      return
    }
    if (this.wanted.size > 0) await this.send()
  }

  private note(facts: NodeFacts, configs: Said['configs']): Promise<[number, ...string[]] | null> {
    const { keys } = this.store
    const texts = [...configs].flatMap(([digest, text]) => [
      digest,
      this.wanted.has(digest) ? text : '',
    ])
    return this.store.run(
      BEAT,
      [keys.nodes, keys.nodesSeen, keys.nodesConfigs],
      [facts.id, JSON.stringify(facts), MOST_NODES, LATE, MISSING, ...texts],
    ) as Promise<[number, ...string[]] | null>
  }
}
