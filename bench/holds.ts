import type { Charge, Ledger, MessageCharge } from '../src/allowance/ledger'
import type { Store } from '../src/store/store'
import { keepInFlight } from './in-flight'
import { DEFAULTS, IN_FLIGHT, ROOMY } from './ledger-load'
import { withRedisCpu } from './redis-cpu'
import type { Row } from './row'
import { seedTenant } from './seed'
import { median, quantile } from './stats'

/** Messages of a batch of which each is held, then settled. */
type Kind = MessageCharge['meter']

/** µs of Redis a call, of each batch. */
interface Cost {
  /** The same recipients of a tenant of which nothing is held: what the others compare with. */
  readonly charge: number[]
  readonly hold: number[]
  readonly forwarded: number[]
  readonly unregistered: number[]
}

type ChargeOf = Awaited<ReturnType<typeof seedTenant>>

/** What recipients cost Redis that are held at RCPT and counted at the end of DATA, as those of possible forwards are. */
export class Holds {
  private readonly cost: Cost = { charge: [], hold: [], forwarded: [], unregistered: [] }
  private messages = 0

  private constructor(
    private readonly store: Store,
    private readonly ledger: Ledger,
    private readonly chargeOf: ChargeOf,
    private readonly holdOf: ChargeOf,
  ) {}

  /** With tenants of its own, with two windows on each meter. */
  static async open(store: Store, ledger: Ledger): Promise<Holds> {
    const charge = await seedTenant(store, 'ordinary', { limits: ROOMY })
    const settings = { limits: ROOMY, forwardedLimits: ROOMY }
    return new Holds(store, ledger, charge, await seedTenant(store, 'forwarder', settings))
  }

  /** Messages of one recipient each, half of them proven, a hundred at a time: a tenant may have 200 holds. */
  async measureBatch(messages: number): Promise<void> {
    for (const kind of ['forwarded', 'unregistered'] as const) {
      let [charge, hold, settlement] = [0, 0, 0]
      const turns = Math.ceil(messages / 2 / IN_FLIGHT)
      for (let turn = 0; turn < turns; turn++) {
        const transactions = Array.from({ length: IN_FLIGHT }, () => `${++this.messages}.1`)
        charge += await this.cpuOf(transactions, (each) =>
          this.charge(this.chargeOf(each), 'CHARGED'),
        )
        hold += await this.cpuOf(transactions, (each) => this.charge(this.holdOf(each), 'HELD'))
        settlement += await this.cpuOf(transactions, (each) => this.settle(each, kind))
      }
      this.cost.charge.push(charge / turns / IN_FLIGHT)
      this.cost.hold.push(hold / turns / IN_FLIGHT)
      this.cost[kind].push(settlement / turns / IN_FLIGHT)
    }
  }

  rows(): Row[] {
    const { charge, hold, forwarded, unregistered } = this.cost
    const usOfCharge = median(charge)
    const row = (what: string, costs: readonly number[], detail: string): Row => {
      const us = median(costs)
      const [low, high] = [quantile(costs, 0.25), quantile(costs, 0.75)]
      return {
        what: `CPU of Redis, ${what}`,
        figure: `${us.toFixed(1)} µs`,
        detail:
          `half of ${costs.length} batches ${low.toFixed(1)} to ${high.toFixed(1)}; ` +
          (costs === charge ? '' : `${(us / usOfCharge).toFixed(2)} × a charge; `) +
          detail,
        numbers: { us, toCharge: us / usOfCharge },
      }
    }
    return [
      row('a charge', charge, 'at RCPT, measured in turn with those that follow'),
      row('a hold', hold, 'at RCPT, of what may be a forward'),
      row('a settlement, forwarded', forwarded, 'at the end of DATA, one signature'),
      row('a settlement, unregistered', unregistered, 'at the end of DATA, without proof'),
    ]
  }

  /** Of all calls that are made for these transactions at the same time. */
  private async cpuOf(
    transactions: readonly string[],
    call: (transaction: string) => Promise<void>,
  ): Promise<number> {
    const { length } = transactions
    const work = () => keepInFlight(length, length, (number) => call(transactions[number]!))
    return (await withRedisCpu(this.store.client, work)).cpu
  }

  private async charge(charge: Charge, expected: 'CHARGED' | 'HELD'): Promise<void> {
    const { answer } = await this.ledger.charge(charge, DEFAULTS)
    if (answer !== expected) throw new Error(`a recipient was answered ${answer}, not ${expected}`)
  }

  private async settle(transaction: string, meter: Kind): Promise<void> {
    const { tenant, domain, connector, ip } = this.holdOf(transaction)
    const settlement: MessageCharge = {
      ...{ tenant, domain, connector, ip, transaction, meter, ordinals: [1] },
      // As long as the hash of one is.
      signatures: meter === 'forwarded' ? [transaction.padStart(32, '0')] : [],
    }
    const { answer } = await this.ledger.chargeMessage(settlement, DEFAULTS)
    const expected = meter === 'forwarded' ? 'FORWARDED' : 'CHARGED'
    if (answer !== expected) throw new Error(`a settlement was answered ${answer}`)
  }
}
