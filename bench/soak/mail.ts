import { randomFrom } from '../../scripts/services/random'
import { messageFrom } from '../mail-load'
import type { Sender } from '../seed'
import { runSession, step, type Step } from '../smtp-session'
import { Times } from '../stats'

/** A tenant's mail besides that from its own domain. A restricted tenant tries unregistered mail all the time. */
type TenantKind = 'registered' | 'unregistered' | 'bounces' | 'restricted'

/** Of ten tenants. */
const TEN: readonly TenantKind[] = [
  ...Array<TenantKind>(6).fill('registered'),
  ...(['unregistered', 'unregistered', 'bounces', 'restricted'] as const),
]
/** The share of a tenant's mail that is not from its own domain. */
const OTHER_SHARE = 0.5
/** Sender domains of no tenant. */
const STRANGE = Array.from({ length: 200 }, (_, at) => `a@stranger-${at}.example`)
/** Messages of a session. Then it quits and reconnects: a server may leak memory of ended sessions. */
const MESSAGES_A_SESSION = 50
/** A run with more failures ends. */
const MOST_FAILURES = 100

export function kindOf(number: number): TenantKind {
  return TEN[number % TEN.length]!
}

/** A message, possibly after a refused attempt. */
interface Errand {
  readonly script: readonly Step[]
  /** The plugin counts its recipient. */
  readonly counted?: true
  /** It begins with an attempt that is refused. */
  readonly refused?: true
}

/** The next mail of a tenant, determined by the random numbers. */
export function errandsOf(tenant: Sender, kind: TenantKind, random: () => number): () => Errand {
  const own = messageFrom(`a@${tenant.domain}`)
  const others: readonly Errand[] = {
    registered: [],
    unregistered: STRANGE.map((from) => ({ script: messageFrom(from), counted: true as const })),
    bounces: [{ script: messageFrom(''), counted: true as const }],
    restricted: STRANGE.map((from) => ({
      script: [step(`MAIL FROM:<${from}>`, '550 5.7.750 ', true), ...own],
      refused: true as const,
    })),
  }[kind]
  return () => {
    if (others.length === 0 || random() >= OTHER_SHARE) return { script: own }
    return others[Math.floor(random() * others.length)]!
  }
}

/** The mail of a span of time. */
export interface Slice {
  /** Messages a second. */
  readonly perSecond: number
  /** Attempts that were refused as they should be. */
  readonly refused: number
}

/** The mail of many tenants in many sessions at once. */
export class SoakMail {
  /** Answers that were not the expected ones. */
  readonly failures: string[] = []
  /** Recipients that the plugin must have counted. */
  counted = 0
  readonly answers = new Times()
  readonly #sessions: readonly { ip: string; next: () => Errand }[]

  constructor(
    private readonly port: number,
    tenants: readonly Sender[],
    sessions: number,
    seed: number,
  ) {
    this.#sessions = Array.from({ length: sessions }, (_, at) => {
      const number = at % tenants.length
      const next = errandsOf(tenants[number]!, kindOf(number), randomFrom(seed + at))
      return { ip: tenants[number]!.ip, next }
    })
  }

  /**
   * Sends for this many ms; each session sends its next message as soon as the last one is answered.
   *
   * @throws Error where too much has failed
   */
  async send(ms: number): Promise<Slice> {
    const begin = performance.now()
    const until = begin + ms
    let [messages, refused] = [0, 0]
    const onDecision = (time: number): void => this.answers.add(time)
    const done = (errand: Errand): void => {
      messages++
      if (errand.refused) refused++
      if (errand.counted) this.counted++
    }
    await Promise.all(
      this.#sessions.map(async ({ ip, next }) => {
        while (performance.now() < until) {
          const turn = turns(next, done, until)
          const session = runSession({ port: this.port, ip, next: turn, onDecision })
          await session.catch((error: Error) => this.#fail(error))
        }
      }),
    )
    return { perSecond: (messages * 1_000) / (performance.now() - begin), refused }
  }

  #fail(error: Error): void {
    this.failures.push(error.message)
    if (this.failures.length < MOST_FAILURES) return
    throw new Error(`${this.failures.length} sessions have failed; the first: ${this.failures[0]}`)
  }
}

/** The next commands of a session. An errand is done when the session requests the next one. */
function turns(next: () => Errand, done: (errand: Errand) => void, until: number) {
  let errand: Errand | undefined
  let count = 0
  return (): readonly Step[] | undefined => {
    if (errand) done(errand)
    errand = undefined
    if (count++ === MESSAGES_A_SESSION || performance.now() >= until) return undefined
    errand = next()
    return errand.script
  }
}
