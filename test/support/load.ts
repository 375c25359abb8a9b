import assert from 'node:assert/strict'
import type { SmtpClient } from '../../scripts/services/smtp'
import type { TestTenant } from './relay'

export { randomFrom } from '../../scripts/services/random'

/** Many sessions of a tenant at once, over all hosts of its relay, and the replies to them. */
export class Load {
  /** Answered RCPT commands, and the accepted ones. */
  offered = 0
  accepted = 0
  /**
   * Recipients accepted and not returned, as seen by the client: never more than there were, since it learns of a
   * recipient after it was counted, and subtracts one before it is refunded.
   */
  held = 0
  mostHeld = 0
  /** The number of replies to MAIL or RCPT of each session. */
  readonly answers: number[]
  private readonly refused = new Map<string, number>()
  private readonly clients = new WeakMap<SmtpClient, number>()

  /** @param refusals the only replies other than 250 that MAIL and RCPT may get, byte for byte. */
  constructor(
    private readonly tenant: TestTenant,
    private readonly sessions: number,
    private readonly refusals: readonly string[],
  ) {
    this.answers = Array<number>(sessions).fill(0)
  }

  async connect(session: number): Promise<SmtpClient> {
    const { hosts } = this.tenant.relay
    const client = await this.tenant.connect({ on: hosts[session % hosts.length]! })
    this.clients.set(client, session)
    return client
  }

  /**
   * Runs `work` in all sessions at once, and ends each with QUIT.
   *
   * @param work returns the client to end, where it is another one.
   */
  async run(
    work: (client: SmtpClient, session: number) => Promise<SmtpClient | void>,
  ): Promise<void> {
    const clients = await Promise.all(
      Array.from({ length: this.sessions }, (_, at) => this.connect(at)),
    )
    await Promise.all(
      clients.map(async (client, session) => {
        const last = await work(client, session)
        await (last ?? client).quit()
      }),
    )
  }

  /** MAIL. @returns whether it was accepted. */
  async mail(client: SmtpClient, from: string): Promise<boolean> {
    return this.accepts(client, await client.mail(from))
  }

  /** RCPT to an address elsewhere. @returns whether it was accepted. */
  async rcpt(client: SmtpClient): Promise<boolean> {
    const reply = await client.rcpt('someone@far.example')
    this.offered++
    if (!this.accepts(client, reply)) return false
    this.accepted++
    this.held++
    this.mostHeld = Math.max(this.mostHeld, this.held)
    return true
  }

  /** Subtracts recipients before they are refunded. */
  release(count: number): void {
    this.held -= count
  }

  /** How often MAIL or RCPT got this refusal. */
  refusedWith(refusal: string): number {
    return this.refused.get(refusal) ?? 0
  }

  private accepts(client: SmtpClient, { code, raw }: { code: number; raw: string }): boolean {
    this.answers[this.clients.get(client)!]!++
    if (code === 250) return true
    assert.ok(this.refusals.includes(raw), raw)
    this.refused.set(raw, this.refusedWith(raw) + 1)
    return false
  }
}

/**
 * Runs a load until `operate` is done; an error of either ends both.
 *
 * @param work what each session repeats until then.
 */
export async function during(
  load: Load,
  work: (client: SmtpClient, session: number) => Promise<SmtpClient | void>,
  operate: () => Promise<void>,
): Promise<void> {
  const stop = new AbortController()
  const running = load.run(async (first, session) => {
    let client = first
    while (!stop.signal.aborted) client = (await work(client, session)) ?? client
    return client
  })
  try {
    await Promise.race([operate(), running.then(() => assert.fail('the load has ended'))])
  } finally {
    stop.abort()
    await running
  }
}
