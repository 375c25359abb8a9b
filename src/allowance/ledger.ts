import type { Mode } from '../mode'
import { pieces } from '../store/pieces'
import { readScript } from '../store/script'
import { ServerClock } from '../store/server-clock'
import type { Store } from '../store/store'
import { formatLimits, type Limits } from './limits'
import { decodeUsage, type Usage } from './usage'

const CHARGE = readScript(__dirname, 'charge')
const REFUND = readScript(__dirname, 'refund')
const USAGE = readScript(__dirname, 'usage')

/** Recipients given back in one call: Lua can unpack 8000 at most. */
const PIECE = 1000

/** What counts one class of recipients of a tenant. */
export type Meter = 'unregistered' | 'null'

/** What counts for a tenant that has no limits or mode of its own, and what wins over all. */
export interface Defaults {
  readonly limits: Limits
  readonly nullLimits: Limits
  readonly mode: Mode
  readonly override: Mode | undefined
}

/** One recipient to be counted. */
export interface Charge {
  readonly tenant: string
  readonly meter: Meter
  /** Haraka's transaction uuid; with `ordinal` it names this recipient for ever. */
  readonly transaction: string
  readonly ordinal: number
  /** The token of the list of accepted domains by which the sender was found unregistered. */
  readonly domainsToken: string
  /** The sender domain and its parents, most specific first; only asked for where the token turns out to be old. */
  readonly names: () => readonly string[]
  /** What the restriction shows as its trigger. Must hold no tab. */
  readonly domain: string
  readonly connector: string
  readonly ip: string
}

/** The answers of the charge script; `allowance/lua/charge.lua` says what each means. */
export type ChargeAnswer =
  | 'CHARGED'
  | 'TRIPPED'
  | 'RESTRICTED'
  | 'ZERO'
  | 'DEFER'
  | 'FULL'
  | 'REGISTERED'
  | 'STALE'
  | 'EXPIRED'
  | 'OFF'
  | 'GONE'

/** Recipients counted in one window, and how many may be. */
export interface WindowCount {
  readonly used: number
  readonly limit: number
  /** ms */
  readonly window: number
}

export interface ChargeResult {
  readonly answer: Exclude<ChargeAnswer, 'STALE'>
  /** Recipients counted in `window`, this one included where it was charged. */
  readonly used: number
  readonly limit: number
  /** ms; 0: no window (unlimited) */
  readonly window: number
  /** With CHARGED: every window. Empty where the same recipient was charged before. */
  readonly windows: readonly WindowCount[]
  /** With CHARGED, in monitor: the first moment in which the tenant would have been restricted. */
  readonly firstWouldTrip: boolean
  /** With RESTRICTED: the scope. */
  readonly scope: 'unregistered' | 'all'
  /** The list of accepted domains is another than the caller's: it should be loaded anew. */
  readonly stale: boolean
}

interface DefaultTexts {
  readonly from: Defaults
  readonly limits: string
  readonly nullLimits: string
}

/** Counts recipients in Redis. Every call is one script; nothing here waits longer than the client's command timeout. */
export class Ledger {
  private readonly clock: ServerClock
  private texts: DefaultTexts | undefined

  /** @param patience how long the caller of a charge waits for the answer, in ms. */
  constructor(
    private readonly store: Store,
    private readonly patience: number,
  ) {
    this.clock = new ServerClock(store.client)
  }

  /**
   * Counts one recipient, or says why not. Calling it again for the same recipient changes nothing and gives the
   * same answer.
   *
   * @throws where Redis gave no answer: whether the recipient was counted is unknown then, and {@link refund} settles it.
   */
  async charge(charge: Charge, defaults: Defaults): Promise<ChargeResult> {
    let first = await this.call(charge, defaults, false, [])
    // We are still waiting, so what was late is our idea of the server's clock; the answer has just put it right.
    if (first[0] === 'EXPIRED') first = await this.call(charge, defaults, false, [])
    if (first[0] !== 'STALE') return decode(first, false)
    return decode(await this.call(charge, defaults, false, namesOf(charge)), true)
  }

  /**
   * What {@link charge} would answer now, changing nothing.
   *
   * @throws where Redis gave no answer.
   */
  async preview(charge: Charge, defaults: Defaults): Promise<ChargeResult> {
    return decode(await this.call(charge, defaults, true, namesOf(charge)), false)
  }

  /**
   * Gives recipients of a transaction back, each once; one that was never counted stays so, even where its charge is
   * still on its way.
   *
   * @returns how many were given back.
   * @throws where Redis gave no answer; calling it again is safe.
   */
  async refund(tenant: string, transaction: string, ordinals: readonly number[]): Promise<number> {
    const { keys } = this.store
    const names = [keys.tenant(tenant), keys.usage(tenant), keys.receipt(tenant, transaction)]
    let refunded = 0
    for (const piece of pieces(ordinals, PIECE)) {
      refunded += (await this.store.run(REFUND, names, piece)) as number
    }
    return refunded
  }

  /**
   * The meters of a tenant as they stand now; `undefined`: no such tenant.
   *
   * @throws where Redis gave no answer.
   */
  async usage(
    tenant: string,
    defaults: Pick<Defaults, 'limits' | 'nullLimits'>,
  ): Promise<Usage | undefined> {
    const { keys } = this.store
    const reply = await this.store.run(
      USAGE,
      [keys.tenant(tenant), keys.usage(tenant)],
      [formatLimits(defaults.limits), formatLimits(defaults.nullLimits)],
    )
    return reply === null ? undefined : decodeUsage(reply as unknown[])
  }

  private async call(
    charge: Charge,
    defaults: Defaults,
    dry: boolean,
    names: readonly string[],
  ): Promise<unknown[]> {
    const { keys } = this.store
    const { tenant, meter } = charge
    const notAfter = dry ? 0 : Math.ceil((await this.clock.now()) + this.patience)
    const texts = this.textsOf(defaults)
    const reply = (await this.store.run(
      CHARGE,
      [
        keys.tenant(tenant),
        keys.usage(tenant),
        keys.restriction(tenant),
        keys.receipt(tenant, charge.transaction),
        keys.domains(tenant),
      ],
      [
        charge.ordinal,
        meter === 'unregistered' ? 'u' : 'n',
        notAfter,
        charge.domainsToken,
        meter === 'unregistered' ? texts.limits : texts.nullLimits,
        defaults.mode,
        defaults.override ?? '',
        `${charge.domain}\t${charge.connector}\t${charge.ip}`,
        dry ? 1 : 0,
        ...names,
      ],
    )) as unknown[]
    this.clock.observe(Number(reply[1]))
    return reply
  }

  private textsOf(defaults: Defaults): DefaultTexts {
    if (this.texts?.from !== defaults) {
      this.texts = {
        from: defaults,
        limits: formatLimits(defaults.limits),
        nullLimits: formatLimits(defaults.nullLimits),
      }
    }
    return this.texts
  }
}

/** What the script looks up; a sender without a domain has a name, too, or the answer would be STALE again. */
function namesOf({ names }: Charge): readonly string[] {
  const found = names()
  return found.length > 0 ? found : ['']
}

function decode(reply: unknown[], stale: boolean): ChargeResult {
  const answer = reply[0] as ChargeResult['answer']
  return {
    answer,
    used: answer === 'RESTRICTED' ? 0 : Number(reply[2] ?? 0),
    limit: Number(reply[3] ?? 0),
    window: Number(reply[4] ?? 0),
    windows: decodeWindows(reply.slice(6).map(Number)),
    firstWouldTrip: reply[5] === 1,
    scope: reply[2] === 'all' ? 'all' : 'unregistered',
    stale,
  }
}

function decodeWindows(numbers: readonly number[]): WindowCount[] {
  const windows: WindowCount[] = []
  for (let at = 0; at + 2 < numbers.length; at += 3) {
    windows.push({ used: numbers[at]!, limit: numbers[at + 1]!, window: numbers[at + 2]! })
  }
  return windows
}
