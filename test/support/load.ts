import assert from 'node:assert/strict'
import type { SmtpClient } from '../../scripts/services/smtp'
import type { TestTenant } from './relay'

export { randomFrom } from '../../scripts/services/random'

/** Many sessions of a tenant at once, over all hosts of its relay, and what they were answered. */
export class Load {
  /** RCPT commands that were answered, and those of them that were accepted. */
  offered = 0
  accepted = 0
  /**
   * Recipients that have been accepted and not given back, as far as a client can tell: never more than there were,
   * since it learns of a recipient after it was counted, and says that one is given back before it is.
   */
  held = 0
  mostHeld = 0
  /** How many answers to MAIL or RCPT each session has had. */
  readonly answers: number[]
  private readonly refused = new Map<string, number>()
  private readonly clients = new WeakMap<SmtpClient, number>()

  /** @param refusals the only answers but 250 that MAIL and RCPT may get, byte for byte. */
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
   * Does the work in all sessions at once, and ends each with QUIT.
   *
   * @param work gives the client to end with, where it is another.
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

  /** RCPT to some address elsewhere. @returns whether it was accepted. */
  async rcpt(client: SmtpClient): Promise<boolean> {
    const reply = await client.rcpt('someone@far.example')
    this.offered++
    if (!this.accepts(client, reply)) return false
    this.accepted++
    this.held++
    this.mostHeld = Math.max(this.mostHeld, this.held)
    return true
  }

  /** Says, before it happens, that so many recipients are given back. */
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
 * Lets a load run while `operate` does its work; an error of either ends both.
 *
 * @param work what each session does again and again, until then.
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
