import { within } from '../base/deadline'
import type { Mode, Override } from '../mail/mode'
import { parentsOf } from '../names/domain'
import { batchesOf } from '../base/lists'
import { MAIL_INCLUDES } from '../mail/scripts'
import { readScript } from '../store/script'
import { clockOf, type ServerClock } from '../store/server-clock'
import type { PreparedScript } from '../store/script-call'
import type { Store } from '../store/store'
import { ChargeTimes } from './charge-times'
import { parseReply, type ChargeReply, type ChargeResult } from './charge-answer'
import { formatLimits, type Limits } from '../mail/limits'
import {
  METER_NAMES,
  meterOf,
  METERS,
  USUAL_METER,
  type DefaultLimits,
  type LimitsField,
  type Meter,
} from '../mail/meters'
import { decodeUsage, type Usage } from './usage'

const CHARGE = readScript(__dirname, 'charge', MAIL_INCLUDES)
const CHARGE_MESSAGE = readScript(__dirname, 'charge_message', MAIL_INCLUDES)
const REFUND = readScript(__dirname, 'refund')
const USAGE = readScript(__dirname, 'usage', MAIL_INCLUDES)

/** Recipients refunded in one call: Lua unpacks 8000 values at most. */
const BATCH = 1000

/** How long the counter of a signature lives, where the allowance for forwards has no window: a day, in ms. */
const SIGNATURE_TTL = 86_400_000

/** How the scripts know what happens to forwards. */
const FORWARDS_LETTER = { accept: 'a', refuse: 'r', off: 'o' } as const

/** Calls of the charge script are kept prepared for so many tenants. */
const MOST_TENANTS = 1000

/** The limits and mode of a tenant that has none of its own, and the override. */
export interface Defaults extends DefaultLimits {
  readonly mode: Mode
  readonly override: Mode | Override | undefined
  /** Percentages of a limit that raise an event when they are reached, ascending. */
  readonly warnAt: readonly number[]
  /** Whether proven forwards of a restricted tenant are accepted; `off`: none is looked for. */
  readonly forwards: keyof typeof FORWARDS_LETTER
}

/** What the usage of a tenant depends on. */
export type UsageDefaults = DefaultLimits & Pick<Defaults, 'mode' | 'override'>

/** The arguments of scripts that read limits without charging. */
export function usageArguments(defaults: UsageDefaults): string[] {
  const limits = METER_NAMES.flatMap((meter) => {
    const text = defaultLimits(defaults, meter)
    return text === '' ? [] : [METERS[meter].letter, text]
  })
  return [defaults.override ?? '', defaults.mode, ...limits]
}

/** The limits of a tenant that has none of its own, in canonical text; empty: it has no such meter. */
export function defaultLimits(defaults: DefaultLimits, meter: Meter): string {
  const limits = (defaults as Partial<Record<LimitsField, Limits>>)[METERS[meter].limitsField]
  return limits ? formatLimits(limits) : ''
}

/** A recipient to charge, or several at once: all of them or none. */
export interface Charge extends Circumstances {
  /** Not that of proven forwards, which are counted when their message is there: see {@link MessageCharge}. */
  readonly meter: Meter
  readonly ordinal: number
  /** The ordinal of the last recipient, where there are several. */
  readonly last?: number | undefined
  /** The token of the list of accepted domains that the sender was classified by. */
  readonly domainsToken: string
}

/** What every charge says. */
interface Circumstances {
  readonly tenant: string
  /** Haraka's transaction uuid; with an ordinal it names one recipient, for ever. */
  readonly transaction: string
  /**
   * The sender domain, as lower-case A-labels; empty: none. The restriction shows it as its trigger, and where the caller's
   * list of accepted domains is old, it and its parents are looked up.
   */
  readonly domain: string
  /** For the trigger, as `ip`; both without a tab. */
  readonly connector: string
  readonly ip: string
}

/** All recipients of a message that is there, to charge at once: all of them or none. */
export interface MessageCharge extends Circumstances {
  readonly meter: Meter
  /**
   * With the meter of proven forwards: what counts the message where its signatures have proven enough already.
   */
  readonly otherwise?: Meter
  readonly ordinals: readonly number[]
  /**
   * Number of recipients of a message that was accepted already: they are charged under the only ordinal, whatever the
   * limits, may restrict the tenant, and are never refunded.
   */
  readonly accepted?: number
  /** With the same: nothing is counted then. */
  readonly provenOnly?: boolean
  /** Hashes of the signatures that prove a forward. Each proves five recipients in the longest window. */
  readonly signatures: readonly string[]
}

/** The result of a {@link MessageCharge}. */
export interface MessageResult extends ChargeResult {
  /** The meter that was charged, or that refused. */
  readonly meter: Meter
  /** The signatures prove no more recipients. */
  readonly exhausted: boolean
}

/** What the scripts read of the defaults. */
interface Settings {
  readonly from: Defaults
  /** Behind the letter of each meter. */
  readonly byMeter: Readonly<Record<Meter, string>>
}

/** Counts recipients in Redis. Every call is one script, and waits no longer than the client's command timeout. */
export class Ledger {
  /** How long charges of single recipients take. */
  readonly times = new ChargeTimes()
  private readonly clock: ServerClock
  private settings: Settings | undefined
  private readonly prepared = new Map<string, PreparedScript>()

  /** @param timeout how long the caller of a charge waits for the answer, in ms. */
  constructor(
    private readonly store: Store,
    private readonly timeout: number,
  ) {
    this.clock = clockOf(store.client)
  }

  /**
   * Charges a recipient, or several, or says why not. A second call for the same recipients changes nothing and gives the
   * same answer.
   *
   * @throws where Redis gave no answer: whether the recipient was charged is unknown then, until {@link refund}.
   */
  charge(charge: Charge, defaults: Defaults): Promise<ChargeResult> {
    const begun = performance.now()
    const end = begun + this.timeout
    const answer = this.attempt(charge, defaults, end).then((text) => {
      const reply = this.read(text)
      if (reply.answer !== 'EXPIRED' || performance.now() > end) {
        return this.withNames(charge, defaults, end, reply)
      }
      // The caller still waits, so our estimate of the server's clock was wrong; the answer has corrected it.
      return this.again(charge, defaults, end).then((second) =>
        this.withNames(charge, defaults, end, this.read(second)),
      )
    })
    if (begun > this.times.after) this.times.time(answer, begun)
    return answer
  }

  /**
   * What {@link charge} would answer now, changing nothing.
   *
   * @throws where Redis gave no answer.
   */
  async preview(charge: Charge, defaults: Defaults): Promise<ChargeResult> {
    return this.read(await this.call(charge, defaults, 'dry', namesOf(charge))).result
  }

  /**
   * Charges all recipients of a message that is there, or none. It ends their holds where they are charged, or trip. A
   * second call for the same recipients changes nothing and gives the same answer.
   *
   * @throws where Redis gave no answer: whether they were charged is unknown then, until {@link refund}.
   */
  async chargeMessage(message: MessageCharge, defaults: Defaults): Promise<MessageResult> {
    const end = performance.now() + this.timeout
    const result = await this.attemptMessage(message, defaults, end)
    if (result.answer !== 'EXPIRED' || performance.now() > end) return result
    // As with a charge: our estimate of the server's clock was wrong.
    return within(end - performance.now(), this.attemptMessage(message, defaults, end))
  }

  /**
   * What {@link chargeMessage} would answer now, changing nothing.
   *
   * @throws where Redis gave no answer.
   */
  previewMessage(message: MessageCharge, defaults: Defaults): Promise<MessageResult> {
    return this.callMessage(message, defaults, 'dry')
  }

  /**
   * Refunds recipients of a transaction, each once, and ends holds; a recipient that was never charged never will be, even
   * if its charge is still on its way.
   *
   * @param signatures hashes of those that proved them to be forwards.
   * @returns how many were refunded.
   * @throws where Redis gave no answer; a second call is safe.
   */
  async refund(
    tenant: string,
    transaction: string,
    ordinals: readonly number[],
    signatures: readonly string[] = [],
  ): Promise<number> {
    const { keys } = this.store
    const names = [
      ...[keys.tenant(tenant), keys.usage(tenant), keys.receipt(tenant, transaction)],
      ...signatures.map((each) => keys.signature(tenant, each)),
    ]
    let refunded = 0
    for (const batch of batchesOf(ordinals, BATCH)) {
      refunded += (await this.store.run(REFUND, names, batch)) as number
    }
    return refunded
  }

  /**
   * Reads the meters of a tenant; `undefined`: no such tenant.
   *
   * @throws where Redis gave no answer.
   */
  async usage(tenant: string, defaults: UsageDefaults): Promise<Usage | undefined> {
    const { keys } = this.store
    const reply = await this.store.run(
      USAGE,
      [keys.tenant(tenant), keys.usage(tenant), keys.restriction(tenant)],
      usageArguments(defaults),
    )
    return reply === null ? undefined : decodeUsage(reply as unknown[])
  }

  /** The answer, after a second call where the first found the caller's list of accepted domains old. */
  private withNames(
    charge: Charge,
    defaults: Defaults,
    end: number,
    reply: ChargeReply,
  ): ChargeResult | Promise<ChargeResult> {
    if (reply.answer !== 'STALE') return reply.result
    return this.again(charge, defaults, end, namesOf(charge)).then(
      (second) => this.read(second, true).result,
    )
  }

  /**
   * One call, which does nothing once its caller has stopped waiting.
   *
   * @param end when the caller stops waiting, by our monotonic clock.
   */
  private attempt(
    charge: Charge,
    defaults: Defaults,
    end: number,
    names?: readonly string[],
  ): Promise<unknown> {
    const notAfter = this.clock.at(end)
    if (typeof notAfter === 'number') return this.call(charge, defaults, notAfter, names)
    const call = notAfter.then((time) => this.call(charge, defaults, time, names))
    return within(end - performance.now(), call)
  }

  /** The same for a second call: the client gives each call the whole time. */
  private again(...question: Parameters<Ledger['attempt']>): Promise<unknown> {
    return within(question[2] - performance.now(), this.attempt(...question))
  }

  private call(
    charge: Charge,
    defaults: Defaults,
    notAfter: number | 'dry',
    names?: readonly string[],
  ): Promise<unknown> {
    const { keys } = this.store
    const { tenant } = charge
    const values = [
      keys.receipt(tenant, charge.transaction),
      charge.last === undefined ? charge.ordinal : `${charge.ordinal}-${charge.last}`,
      typeof notAfter === 'number' ? Math.ceil(notAfter) : notAfter,
      charge.domainsToken,
      this.settingsOf(defaults)[charge.meter],
      `${charge.domain}\t${charge.connector}\t${charge.ip}`,
    ] as const
    if (!names) return this.store.call(this.preparedFor(tenant), values)
    const [receipt, ...args] = values
    const keyNames = [...this.chargeKeys(tenant), receipt, keys.domains(tenant)]
    return this.store.run(CHARGE, keyNames, [...args, ...names])
  }

  private attemptMessage(
    message: MessageCharge,
    defaults: Defaults,
    end: number,
  ): Promise<MessageResult> {
    const call = (notAfter: number): Promise<MessageResult> =>
      this.callMessage(message, defaults, Math.ceil(notAfter))
    const notAfter = this.clock.at(end)
    if (typeof notAfter === 'number') return call(notAfter)
    return within(end - performance.now(), notAfter.then(call))
  }

  private async callMessage(
    message: MessageCharge,
    defaults: Defaults,
    notAfter: number | 'dry',
  ): Promise<MessageResult> {
    const { keys } = this.store
    const { tenant, signatures } = message
    const keyNames = [
      keys.tenant(tenant),
      keys.usage(tenant),
      keys.restriction(tenant),
      keys.receipt(tenant, message.transaction),
      keys.domains(tenant),
      ...signatures.map((each) => keys.signature(tenant, each)),
    ]
    const args = [
      message.ordinals.join(',') + (message.accepted ? `*${message.accepted}` : ''),
      notAfter,
      this.messageSettings(message, defaults),
      `${message.domain}\t${message.connector}\t${message.ip}`,
      SIGNATURE_TTL,
      ...namesOf(message),
    ]
    const reply = (await this.store.run(CHARGE_MESSAGE, keyNames, args)) as [string, string, number]
    const [text, counted, exhausted] = reply
    return {
      ...this.read(text).result,
      meter: meterOf(counted) ?? USUAL_METER,
      exhausted: Number(exhausted) === 1,
    }
  }

  /** The charge script with the keys of a tenant; each call adds that of the receipt. */
  private preparedFor(tenant: string): PreparedScript {
    let prepared = this.prepared.get(tenant)
    if (!prepared) {
      prepared = this.store.prepare(CHARGE, this.chargeKeys(tenant), 1)
      if (this.prepared.size >= MOST_TENANTS) this.prepared.clear()
      this.prepared.set(tenant, prepared)
    }
    return prepared
  }

  private chargeKeys(tenant: string): readonly string[] {
    const { keys } = this.store
    return [keys.tenant(tenant), keys.usage(tenant), keys.restriction(tenant)]
  }

  /** Reads a reply, and the server's time in it. */
  private read(text: unknown, stale = false): ChargeReply {
    const reply = parseReply(text as string, stale)
    this.clock.observe(reply.time)
    return reply
  }

  /** The meter and what counts for it by default; the texts are made anew only when the configuration has changed. */
  private settingsOf(defaults: Defaults): Readonly<Record<Meter, string>> {
    if (this.settings?.from !== defaults) {
      const { mode, override = '' } = defaults
      const forwards = FORWARDS_LETTER[defaults.forwards]
      const texts = METER_NAMES.map((meter) => {
        const edges = edgesOf(meter, defaults.warnAt).join(',')
        const text = `${override}\t${mode}\t${defaultLimits(defaults, meter)}\t${edges}\t${forwards}`
        return [meter, `${METERS[meter].letter}\t${text}`]
      })
      const byMeter = Object.fromEntries(texts) as Record<Meter, string>
      this.settings = { from: defaults, byMeter }
    }
    return this.settings.byMeter
  }

  /** The same for a message: before them the meter of proven forwards, where it may be one. */
  private messageSettings(
    { meter, otherwise = USUAL_METER, provenOnly }: MessageCharge,
    defaults: Defaults,
  ): string {
    const settings = this.settingsOf(defaults)
    if (!METERS[meter].proven) return settings[meter]
    const only = provenOnly === true ? '!' : ''
    const { letter } = METERS[otherwise]
    return METERS[meter].letter + letter + only + settings[otherwise].slice(letter.length)
  }
}

/** A full meter that does not restrict raises an event too: nothing else shows it. */
function edgesOf(meter: Meter, warnAt: readonly number[]): readonly number[] {
  if (METERS[meter].past === 'restriction') return warnAt
  return [...warnAt.filter((percent) => percent < 100), 100]
}

/** The names that the script looks up; a sender without a domain has one too, or the answer would be STALE again. */
function namesOf({ domain }: Circumstances): readonly string[] {
  return [domain, ...parentsOf(domain)]
}
