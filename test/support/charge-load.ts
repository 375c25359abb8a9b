import { setTimeout as sleep } from 'node:timers/promises'
import type { ClusterSite } from './cluster'
import { newTransaction } from './cluster'

/** One transaction in this many is refunded, as for an aborted session. */
const REFUNDED = 5
/** The pause between two recipients of a session, in ms: a slot with too many receipts moves slowly. */
const PAUSE = 20

/** Recipients of one tenant, charged by many sessions at once as the hooks do. */
export class ChargeLoad {
  /** Recipients that were accepted and not refunded. */
  accepted = 0
  /** Calls without an answer of Redis: each gets a 451 and is refunded. */
  unanswered = 0
  private readonly answers = new Map<string, number>()
  private running = true
  private readonly sessions: Promise<unknown>

  /** @param refunds whether some of the accepted recipients are refunded. */
  constructor(
    private readonly site: ClusterSite,
    private readonly tenant: string,
    { sessions = 8, refunds = true } = {},
  ) {
    this.sessions = Promise.all(Array.from({ length: sessions }, () => this.session(refunds)))
  }

  /** How often Redis gave this answer. */
  count(answer: string): number {
    return this.answers.get(answer) ?? 0
  }

  /** Ends the sessions after their current calls. */
  end(): void {
    this.running = false
  }

  /** Ends the sessions, and waits until all refunds are done. */
  async stop(): Promise<void> {
    this.end()
    await this.sessions
    await this.site.outbox.whenIdle()
  }

  private async session(refunds: boolean): Promise<void> {
    const domainsToken = await this.site.domainsToken(this.tenant)
    for (let turn = 1; this.running; turn++) {
      await sleep(PAUSE)
      const transaction = newTransaction()
      let answer: string
      try {
        answer = (await this.site.charge(this.tenant, { transaction, domainsToken })).answer
      } catch {
        this.unanswered++
        this.giveBack(transaction)
        continue
      }
      this.answers.set(answer, this.count(answer) + 1)
      if (answer === 'TRIPPED') this.site.indexRestriction(this.tenant)
      if (answer !== 'CHARGED') continue
      if (refunds && turn % REFUNDED === 0) this.giveBack(transaction)
      else this.accepted++
    }
  }

  private giveBack(transaction: string): void {
    const { ledger, outbox } = this.site
    outbox.send(this.tenant, () => ledger.refund(this.tenant, transaction, [1]))
  }
}
