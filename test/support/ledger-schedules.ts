import assert from 'node:assert/strict'
import fc from 'fast-check'
import type { ChargeResult } from '../../src/allowance/charge-answer'
import type { Charge, Defaults, MessageResult } from '../../src/allowance/ledger'
import { METERS, type Meter } from '../../src/mail/meters'
import { formatTemporary, temporaryField } from '../../src/mail/temporary'
import type { WindowUsage } from '../../src/allowance/usage'
import type { Event, MeterFacts } from '../../src/records/event'
import type { Mode } from '../../src/mail/mode'
import { DEFAULTS, type Allowance } from './allowance'
import { plantInScripts } from './faults'
import { removeTenant } from '../../src/registry/tenant-removal'
import {
  ABOVE_SENDER,
  MODEL_HOLDS,
  MODEL_LIMITS,
  ModelTenant,
  SENDER,
  type Coverage,
  type ModelAnswer,
  type ModelEvent,
} from './allowance-model'

const SECOND = 1000
const MINUTE = 60_000
const DAY = 86_400_000

const tenant = fc.nat(1)
const transaction = fc.nat(2)
const ordinal = fc.integer({ min: 1, max: 12 })
const limitsOf = fc.constantFrom(...MODEL_LIMITS)

const charge = fc.record({
  kind: fc.constant('charge' as const),
  tenant,
  transaction,
  ordinal,
  /** Recipients that are charged with it. */
  more: fc.constantFrom(0, 0, 0, 0, 0, 1, 5),
  meter: fc.constantFrom<Charge['meter']>('unregistered', 'unregistered', 'unregistered', 'null'),
  late: fc.constantFrom(...Array<boolean>(9).fill(false), true),
})

const signature = fc.constantFrom('s0', 's1')
const signatures = fc.constantFrom<string[]>([], ['s0'], ['s1'], ['s0', 's1'])

/** A message of one or more recipients is complete. */
const settle = fc.record({
  kind: fc.constant('settle' as const),
  tenant,
  transaction,
  ordinals: fc.uniqueArray(ordinal, { minLength: 1, maxLength: 4 }),
  meter: fc.constantFrom<'forwarded' | 'unregistered'>('forwarded', 'forwarded', 'unregistered'),
  signatures,
  late: fc.constantFrom(...Array<boolean>(9).fill(false), true),
})

/** Recipients of an already accepted message, let in by another plugin. */
const accepted = fc.record({
  kind: fc.constant('accepted' as const),
  tenant,
  transaction,
  ordinal: fc.constant(31),
  recipients: fc.integer({ min: 1, max: 4 }),
  meter: fc.constantFrom<Meter>('unregistered', 'unregistered', 'forwarded', 'null'),
})

const operation = fc.oneof(
  { weight: 12, arbitrary: charge },
  { weight: 7, arbitrary: settle },
  { weight: 2, arbitrary: accepted },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('volley' as const),
      charges: fc.array(charge, { minLength: 2, maxLength: 5 }),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('refund' as const),
      tenant,
      transaction,
      ordinals: fc.uniqueArray(ordinal, { minLength: 1, maxLength: 5 }),
      signatures,
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('advance' as const),
      ms: fc.oneof(
        fc.integer({ min: 0, max: 1500 }),
        // Within a window, around its end, and beyond it.
        fc.constantFrom(SECOND, 3 * SECOND, 20 * SECOND, 5 * MINUTE),
        fc.constantFrom(7 * SECOND, MINUTE, 61 * SECOND, 10 * MINUTE, 25 * MINUTE),
        fc.integer({ min: -90 * SECOND, max: -1 }),
      ),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('lift' as const),
      tenant,
      keepUsage: fc.boolean(),
      probation: fc.constantFrom(undefined, undefined, { limits: '2/1m', duration: 90 * SECOND }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('set' as const),
      tenant,
      limits: limitsOf,
      nullLimits: limitsOf,
      forwardedLimits: fc.option<string>(limitsOf),
      forwards: fc.constantFrom<Defaults['forwards']>('off', 'refuse', 'accept'),
      mode: fc.constantFrom<Mode>('enforce', 'enforce', 'enforce', 'monitor', 'off'),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('setFor' as const),
      tenant,
      meter: fc.constantFrom<Meter>('unregistered', 'unregistered', 'null', 'forwarded'),
      limits: fc.option<string, undefined>(limitsOf, { nil: undefined }),
      duration: fc.constantFrom(SECOND, 90 * SECOND, 11 * MINUTE),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('block' as const),
      tenant,
      scope: fc.constantFrom('unregistered' as const, 'all' as const),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('register' as const),
      tenant,
      domain: fc.constantFrom(SENDER, ABOVE_SENDER),
      coverage: fc.constantFrom<Coverage>('not at all', 'not at all', 'alone', 'with subdomains'),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('reload' as const), tenant }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('forgetSignature' as const), tenant, signature }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('forget' as const), tenant, transaction }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('renew' as const), tenant }) },
)

type Operation = typeof operation extends fc.Arbitrary<infer T> ? T : never
type AcceptedOperation = typeof accepted extends fc.Arbitrary<infer T> ? T : never
type SettleOperation = typeof settle extends fc.Arbitrary<infer T> ? T : never
type ChargeOperation = typeof charge extends fc.Arbitrary<infer T> ? T : never

/** Recipients one after the other, over many turns of the ring. */
const steadily = fc.array(
  fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({
        kind: fc.constant('charge' as const),
        tenant: fc.constant(0),
        transaction: fc.constant(0),
        ordinal: fc.integer({ min: 1, max: 1000 }),
        more: fc.constant(0),
        meter: fc.constant<Charge['meter']>('unregistered'),
        late: fc.constant(false),
      }),
    },
    {
      weight: 4,
      arbitrary: fc.record({
        kind: fc.constant('advance' as const),
        ms: fc.integer({ min: 0, max: 40 }).map((buckets) => buckets * SECOND),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: fc.constant('refund' as const),
        tenant: fc.constant(0),
        transaction: fc.constant(0),
        ordinals: fc.uniqueArray(fc.integer({ min: 1, max: 1000 }), {
          minLength: 1,
          maxLength: 30,
        }),
        signatures: fc.constant<string[]>([]),
      }),
    },
  ),
  { maxLength: 60, size: 'max' },
)

const some = fc.array(operation, { maxLength: 20, size: 'max' })

/** The clock jumps far ahead and back: charges from before and meanwhile are refunded, or leave their window. */
const acrossAJump = fc
  .tuple(some, some, some, some)
  .map(([before, meanwhile, after, later]): Operation[] => [
    ...before,
    { kind: 'advance', ms: DAY },
    ...meanwhile,
    { kind: 'advance', ms: -DAY },
    ...after,
    { kind: 'advance', ms: 11 * MINUTE },
    ...later,
  ])

const schedule = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.tuple(
      limitsOf,
      fc.option<string>(limitsOf),
      fc.array(operation, { maxLength: 60, size: 'max' }),
    ),
  },
  {
    weight: 2,
    arbitrary: fc.tuple(fc.constant('5/1m defer'), fc.constant<string | null>(null), steadily),
  },
  {
    weight: 2,
    arbitrary: fc.tuple(limitsOf, fc.option<string>(limitsOf), acrossAJump),
  },
)

/**
 * Any schedule of operations on two tenants, by turns or at once, with repeated recipients, charges that come late and
 * a clock that jumps: at each step the ledger's answers and usage equal the model's.
 */
export function ledgerFollowsModel(
  allowance: Allowance,
  tally = new Tally(),
): fc.IAsyncProperty<
  [schedule: [limits: string, forwardedLimits: string | null, operations: Operation[]]]
> {
  return fc.asyncProperty(schedule, async ([limits, forwardedLimits, operations]) => {
    const run = new Run(allowance, `r${++runs}`, tally)
    tally.schedules++
    await run.begin(limits, forwardedLimits)
    for (const each of operations) {
      await run.apply(each)
      tally.steps++
    }
  })
}

/** So few holds that schedules reach the bound. */
export const FEW_HOLDS = plantInScripts([
  {
    file: 'src/allowance/lua/include/holds.lua',
    find: 'MOST_HOLDS = 200',
    replace: `MOST_HOLDS = ${MODEL_HOLDS}`,
  },
])

/** Statistics of the schedules. */
export class Tally {
  schedules = 0
  /** Operations; after each of them everything was compared. */
  steps = 0
  private readonly outcomes = new Map<string, number>()

  count(outcome: string, times = 1): void {
    this.outcomes.set(outcome, (this.outcomes.get(outcome) ?? 0) + times)
  }

  toString(): string {
    const outcomes = [...this.outcomes].sort(([, a], [, b]) => b - a)
    const list = outcomes.map(([outcome, times]) => `${times} ${outcome}`).join(', ')
    return `${this.schedules} schedules, ${this.steps} steps: ${list}`
  }
}

let runs = 0

/** One sequence of operations, on the ledger and on the model. */
class Run {
  private readonly models: ModelTenant[] = []
  private readonly ids: readonly string[]
  private readonly tokens = new Map<string, string>()
  private lastBirth = 0

  constructor(
    private readonly allowance: Allowance,
    name: string,
    private readonly tally: Tally,
  ) {
    this.ids = [`${name}-a`, `${name}-b`]
  }

  async begin(limits: string, forwardedLimits: string | null): Promise<void> {
    for (const at of this.ids.keys()) await this.register(at, limits, forwardedLimits)
  }

  async apply(operation: Operation): Promise<void> {
    const { clock } = this.allowance
    if (operation.kind === 'advance' || operation.kind === 'volley') {
      if (operation.kind === 'advance') await this.allowance.advance(operation.ms)
      else await this.volley(operation.charges)
      for (const at of this.ids.keys()) await this.compare(at)
      return
    }
    const at = operation.tenant
    const id = this.ids[at]!
    const model = this.models[at]!
    const { registry, restrictions } = this.allowance
    switch (operation.kind) {
      case 'charge':
        this.expect(operation, await this.send(operation))
        break
      case 'refund': {
        const keys = operation.ordinals.map((each) => `${operation.transaction}/${each}`)
        const expected = model.refund(keys, operation.signatures)
        const refunded = await this.allowance.ledger.refund(
          id,
          `F1.${operation.transaction}`,
          operation.ordinals,
          operation.signatures,
        )
        assert.equal(refunded, expected, 'refunded')
        this.tally.count('given back', refunded)
        break
      }
      case 'settle':
        await this.settle(operation)
        break
      case 'accepted':
        await this.countAccepted(operation)
        break
      case 'forgetSignature': {
        const { client, keys } = this.allowance.store
        model.forgetSignature(operation.signature)
        await client.unlink(keys.signature(id, operation.signature))
        break
      }
      case 'lift':
        assert.equal(
          await this.allowance.lift(operation.keepUsage, id, operation.probation),
          model.lift(this.allowance.clock.now, operation.keepUsage, operation.probation),
        )
        break
      case 'set': {
        const { limits, nullLimits, forwardedLimits, mode } = operation
        model.set(limits, nullLimits, forwardedLimits, mode)
        model.forwardsOnHost = operation.forwards
        await registry.tenants.set(id, { limits, nullLimits, forwardedLimits, mode })
        break
      }
      case 'setFor': {
        const { meter, limits, duration } = operation
        const until = model.setFor(this.allowance.clock.now, meter, limits, duration)
        const text = limits === undefined ? null : formatTemporary({ limits, until })
        await registry.tenants.set(id, { [temporaryField(METERS[meter].limitsField)]: text })
        break
      }
      case 'block':
        if (model.block(operation.scope)) await this.allowance.block(operation.scope, id)
        break
      case 'register':
        await this.cover(id, model, operation.domain, operation.coverage)
        break
      case 'reload':
        // A process with the domain in its cache charges nothing.
        if (!model.registered) this.tokens.set(id, await this.allowance.domainsToken(id))
        break
      case 'forget': {
        const { client, keys } = this.allowance.store
        model.forget(operation.transaction)
        await client.unlink(keys.receipt(id, `F1.${operation.transaction}`))
        // A receipt expires after an hour at the earliest: the same recipient is never charged again at the same time.
        await this.allowance.advance(1)
        break
      }
      case 'renew':
        if (model.restricted) {
          await assert.rejects(removeTenant(registry.store, id), /is restricted/)
          assert.ok(await restrictions.get(id))
        } else {
          await removeTenant(registry.store, id)
          // The time of registration distinguishes two tenants of one name.
          await clock.set(this.allowance.store, Math.max(clock.now, this.lastBirth) + 1)
          await this.register(at, MODEL_LIMITS[0], null)
        }
    }
    await this.compare(at)
  }

  /** All at once, as the sessions of a process send them; Redis decides the order. */
  private async volley(charges: readonly ChargeOperation[]): Promise<void> {
    const answered: [ChargeOperation, ChargeResult][] = []
    await Promise.all(
      charges.map(async (each) => {
        const result = await this.send(each)
        answered.push([each, result])
      }),
    )
    for (const [each, result] of answered) this.expect(each, result)
  }

  private send(operation: ChargeOperation): Promise<ChargeResult> {
    const ledger = operation.late ? this.allowance.late : this.allowance.ledger
    const recipient = this.recipient(this.ids[operation.tenant]!, operation)
    return ledger.charge(recipient, this.defaultsOf(operation.tenant))
  }

  private defaultsOf(tenant: number): Defaults {
    return { ...DEFAULTS, forwards: this.models[tenant]!.forwardsOnHost }
  }

  private async settle(operation: SettleOperation): Promise<void> {
    const { tenant: at, transaction: number, ordinals, meter, signatures: proof, late } = operation
    const { ledger: inTime, late: tooLate, clock } = this.allowance
    const result = await (late ? tooLate : inTime).chargeMessage(
      {
        ...{ tenant: this.ids[at]!, meter, transaction: `F1.${number}`, ordinals },
        signatures: proof,
        ...{ domain: SENDER, connector: '', ip: '' },
      },
      this.defaultsOf(at),
    )
    const model = this.models[at]!
    const keys = ordinals.map((each) => `${number}/${each}`)
    const expected = model.settle(clock.now, keys, meter, proof, late)
    assert.deepEqual({ ...shown(result), ...ofSettlement(result) }, expected)
    model.assertNeverOver(result.meter)
    this.tally.count(`${result.answer} at the end of DATA`)
    if (result.exhausted) this.tally.count('signature used up')
  }

  private async countAccepted(operation: AcceptedOperation): Promise<void> {
    const { tenant: at, transaction: number, ordinal: only, recipients, meter } = operation
    const { ledger, clock } = this.allowance
    const result = await ledger.chargeMessage(
      {
        ...{ tenant: this.ids[at]!, meter, transaction: `F1.${number}`, ordinals: [only] },
        ...{ accepted: recipients, signatures: [] },
        ...{ domain: meter === 'null' ? '' : SENDER, connector: '', ip: '' },
      },
      this.defaultsOf(at),
    )
    const expected = this.models[at]!.countAccepted(
      clock.now,
      `${number}/${only}`,
      recipients,
      meter,
    )
    assert.deepEqual(shown(result), expected)
    this.tally.count(`${result.answer} after the end`)
  }

  private expect(operation: ChargeOperation, result: ChargeResult): void {
    const { meter, late, transaction: number, ordinal: first, more } = operation
    const model = this.models[operation.tenant]!
    const keys = Array.from({ length: more + 1 }, (_, at) => `${number}/${first + at}`)
    const expected = model.charge(this.allowance.clock.now, keys, meter, late)
    assert.deepEqual(shown(result), expected)
    model.assertNeverOver(meter)
    this.tally.count(result.answer)
  }

  private async cover(
    id: string,
    model: ModelTenant,
    domain: string,
    coverage: Coverage,
  ): Promise<void> {
    const { registry } = this.allowance
    const before = model.coverageOf(domain)
    if (coverage === before) return
    if (before !== 'not at all') await registry.domains.remove(id, [domain])
    if (coverage !== 'not at all') {
      const subdomains = coverage === 'with subdomains'
      // Shared, so that both tenants can have it.
      await registry.domains.add(id, [{ domain, subdomains, shared: true }], 'test')
    }
    model.cover(domain, coverage)
  }

  private async register(
    at: number,
    limits: string,
    forwardedLimits: string | null,
  ): Promise<void> {
    const id = this.ids[at]!
    const settings = { limits, nullLimits: limits, forwardedLimits, mode: 'enforce' } as const
    await this.allowance.registry.tenants.add(id, settings, 'test')
    this.tokens.set(id, await this.allowance.domainsToken(id))
    this.lastBirth = this.allowance.clock.now
    this.models[at] = new ModelTenant(limits, this.allowance.clock, this.models[at])
    this.models[at].set(limits, limits, forwardedLimits, 'enforce')
  }

  private recipient(
    id: string,
    { meter, transaction: number, ordinal: first, more }: ChargeOperation,
  ): Charge {
    return {
      ...{ tenant: id, meter, transaction: `F1.${number}`, ordinal: first },
      ...(more > 0 && { last: first + more }),
      domainsToken: this.tokens.get(id)!,
      ...{ domain: SENDER, connector: '', ip: '' },
    }
  }

  /** Checks that Redis and the model agree about a tenant. */
  private async compare(at: number): Promise<void> {
    const id = this.ids[at]!
    const model = this.models[at]!
    const [usage, restriction, events] = await Promise.all([
      this.allowance.usage(id),
      this.allowance.restriction(id),
      this.allowance.events(id),
    ])
    assert.equal(restriction?.scope, model.restricted)
    assert.equal(usage.wouldTrip !== undefined, model.wouldTrip)
    assert.deepEqual(events.map(shapeOf), model.raised)
    assertEnds(events)
    const { now } = this.allowance.clock
    this.compareWindows(model, 'unregistered', usage.unregistered, now)
    this.compareWindows(model, 'null', usage.null, now)
    assert.equal(usage.held, model.held(now), 'held')
    assert.equal(usage.forwarded !== undefined, model.forwards)
    this.compareWindows(model, 'forwarded', usage.forwarded ?? [], now)
  }

  private compareWindows(
    model: ModelTenant,
    meter: Meter,
    windows: readonly WindowUsage[],
    now: number,
  ): void {
    assert.deepEqual(
      windows.map(({ window, limit, defer }) => ({ window, count: limit, defer })),
      model.limitsOf(meter, now),
    )
    for (const { window, limit, used, freesAt } of windows) {
      const { least, most, held } = model.count(meter, window, now)
      assert.equal(used, held, 'used')
      assert.ok(used >= least, `used ${used}, and in ${window} ms there were ${least}`)
      assert.ok(used <= most, `used ${used}, and in ${window} ms and a bucket there were ${most}`)
      if (used === 0 || limit === 0) {
        assert.equal(freesAt, undefined)
        continue
      }
      const before = model.count(meter, window, freesAt! - 1, now).held
      const then = model.count(meter, window, freesAt!, now).held
      const enough = Math.min(limit, used)
      assert.ok(before >= enough && then < enough, `frees at ${freesAt}: ${before}, then ${then}`)
    }
  }
}

function shown(result: ChargeResult): ModelAnswer {
  const { answer, used, limit, window, edges, firstWouldTrip, scope } = result
  return { answer, used, limit, window, edges, firstWouldTrip, scope }
}

function ofSettlement({
  meter,
  exhausted,
}: MessageResult): Pick<MessageResult, 'meter' | 'exhausted'> {
  return { meter, exhausted }
}

function shapeOf(event: Event): ModelEvent {
  switch (event.kind) {
    case 'allowance':
      return {
        kind: 'allowance',
        meter: meterOf(event),
        window: event.window,
        percent: event.percent,
      }
    case 'resolved':
      return {
        kind: 'resolved',
        meter: meterOf(event),
        window: event.window!,
        percent: event.percent!,
      }
    case 'restricted':
      return { kind: 'restricted', probation: event.probation === true }
    case 'lifted':
      return { kind: 'lifted' }
    default:
      throw new Error(`a ${event.kind} event`)
  }
}

function meterOf({ meter }: MeterFacts): Meter {
  return meter ?? 'unregistered'
}

/** Checks that ids are unique, and that each ending event names an open one of its kind, once. */
function assertEnds(events: readonly Event[]): void {
  const open = new Map<string, string>()
  for (const event of events) {
    if (event.kind === 'allowance' || event.kind === 'restricted') {
      assert.ok(!open.has(event.id), 'an id is used again')
      open.set(event.id, event.kind)
    } else if (event.kind === 'resolved' || event.kind === 'lifted') {
      const of = event.kind === 'lifted' ? 'restricted' : event.of
      assert.equal(open.get(event.resolves), of, 'what has ended')
      open.set(event.resolves, 'ended')
    }
  }
}
