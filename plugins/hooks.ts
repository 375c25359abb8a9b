import constants from 'haraka-constants'
import type { ChargeResult, Defaults, Meter } from '../src/allowance/ledger'
import type { Config } from '../src/config'
import { parentsOf } from '../src/names/domain'
import type { HarakaAddress } from '../src/names/envelope'
import type { Attribution } from '../src/relay/attribution'
import type { Charges, RecipientCharge } from '../src/relay/charges'
import type { Engine } from '../src/relay/engine'
import { judge, type Judgement } from '../src/relay/judge'
import { defaultsOf } from '../src/relay/defaults'
import { outcomeOf, passesUncounted } from '../src/relay/outcome'
import { REPLIES } from '../src/relay/reply'
import { within } from '../src/deadline'
import { redisFailure } from '../src/store/failure'
import type { Known } from '../src/tenants/snapshot'
import { grantRelay } from './grant'
import type { Answer } from './guard'
import type { Connection, Next, Plugin } from './haraka'
import { Quiet } from './quiet'
import { Report } from './report'
import { Session } from './session'
import { answeredRecipients } from './settlement'
import { Transit } from './transit'

type Result = Answer | Promise<Answer>

/** Answers that say nothing new about the tenant. */
const EXPECTED: ReadonlySet<ChargeResult['answer']> = new Set(['CHARGED', 'FULL', 'DEFER', 'ZERO'])

/** How long a session waits for a tenant that its process meets for the first time, in ms; many commands, if it is large. */
const LOAD_DEADLINE = 5000

const UNDECIDABLE: Attribution = { kind: 'undecidable' }

/** Our hooks, as Haraka calls them. Registered mail passes through them without waiting and without asking Redis. */
export class Hooks {
  private readonly sessions = new WeakMap<Connection, Session>()
  private readonly report: Report
  private readonly quiet: Quiet
  private defaultsFrom: Config | undefined
  private defaults: Defaults | undefined

  /**
   * @param config the configuration in force.
   * @param engine `undefined` until Haraka has started us; what relays before that cannot be decided.
   */
  constructor(
    private readonly plugin: Plugin,
    private readonly config: () => Config,
    private readonly engine: () => Engine | undefined,
  ) {
    this.report = new Report(plugin)
    this.quiet = new Quiet((message) => plugin.logerror(message))
  }

  connect(connection: Connection): undefined {
    this.sessionOf(connection).noteAddress(connection)
    return undefined
  }

  /** helo and ehlo: on ports 587 and 465 a session must relay before MAIL (connection.js, cmd_mail). */
  greet(connection: Connection): Result {
    if (!this.config().attribution.grantRelay || connection.relaying) return undefined
    const session = this.sessionOf(connection)
    return chain(this.attribution(connection, session), (attribution) => {
      grantRelay(connection, session, attribution)
      return undefined
    })
  }

  mail(connection: Connection): Result {
    const session = this.sessionOf(connection)
    session.endTransit()
    const transit = transitOf(connection, session)
    if (!transit) return undefined
    return this.whenKnown(connection, session, transit, () =>
      this.answer(connection, transit, this.judge(connection, transit, 'mail')),
    )
  }

  rcpt(connection: Connection, [recipient]: readonly [HarakaAddress]): Result {
    const session = this.sessionOf(connection)
    const transit = transitOf(connection, session)
    if (!transit) return undefined
    return this.whenKnown(connection, session, transit, () =>
      this.answer(connection, transit, this.judge(connection, transit, 'rcpt', recipient)),
    )
  }

  rcptOk(connection: Connection, recipient: HarakaAddress): Result {
    const session = this.sessionOf(connection)
    const transit = transitOf(connection, session)
    if (!transit) return undefined
    return this.whenKnown(connection, session, transit, () => {
      const judgement = this.judge(connection, transit, 'rcpt', recipient)
      if (judgement.verdict === 'charge') return this.charge(connection, transit, judgement.meter)
      if (judgement.verdict === 'ignore') this.report.skip(transit, judgement.reason)
      // Only here: for the other passes nothing was left out that would have had to be counted.
      if (judgement.verdict === 'pass' && judgement.reason === 'tenant-unknown') {
        this.report.undecided(transit, judgement.reason, { verdict: 'pass' })
      }
      return this.answer(connection, transit, judgement)
    })
  }

  /**
   * Our own refusals stand: STOP ends the hook before delay_deny or karma can turn one into an OK, and Haraka delivers
   * the refusal as it is (plugins.js, get_denyfn).
   */
  deny(next: Next, params: readonly unknown[]): void {
    if (params[2] === this.plugin.name) next(constants.stop)
    else next()
  }

  /** For reset_transaction, and for disconnect: the former does not reach us where another plugin is slow in it. */
  end(connection: Connection): undefined {
    this.sessions.get(connection)?.endTransit()
    return undefined
  }

  /** What to answer when something of ours failed: 451 where unmetered mail could pass. Never throws. */
  failed(error: unknown, connection: Connection): Answer {
    try {
      const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
      connection.logcrit(this.plugin, `internal error: ${text}`)
      if (!connection.relaying || this.config().main.override) return undefined
      const attribution = this.sessions.get(connection)?.transit?.attribution
      return attribution?.kind === 'attributed' ? REPLIES.undecidable : undefined
    } catch {
      return REPLIES.undecidable
    }
  }

  private sessionOf(connection: Connection): Session {
    let session = this.sessions.get(connection)
    if (!session) {
      session = new Session()
      this.sessions.set(connection, session)
    }
    return session
  }

  private attribution(
    connection: Connection,
    session: Session,
  ): Attribution | Promise<Attribution> {
    const engine = this.engine()
    if (!engine) return UNDECIDABLE
    return session.attribution(connection, engine.directory, this.config().attribution)
  }

  /** Calls `then` when the tenant of the session and the class of its sender are known: at once, where they are. */
  private whenKnown(
    connection: Connection,
    session: Session,
    transit: Transit,
    then: () => Result,
  ): Result {
    const { main, attribution: settings } = this.config()
    const isOff = main.override === 'off'
    if (!settings.grantRelay && (isOff || !connection.relaying)) return isOff ? undefined : then()
    return chain(this.attribution(connection, session), (attribution) => {
      // Under the brake, too: without the grant Haraka itself would refuse the session.
      if (settings.grantRelay) grantRelay(connection, session, attribution)
      if (isOff) return undefined
      return chain(this.snapshotOf(attribution), (snapshot) => {
        transit.stand(attribution, snapshot)
        return then()
      })
    })
  }

  private snapshotOf(attribution: Attribution): Known | Promise<Known> {
    const directory = this.engine()?.directory
    if (attribution.kind !== 'attributed' || !directory) return undefined
    const { tenant } = attribution
    return (
      directory.peek(tenant) ??
      within(LOAD_DEADLINE, directory.load(tenant)).then(
        (snapshot) => {
          if (!snapshot) this.quiet.say(`no such tenant: ${tenant}`)
          return snapshot ?? null
        },
        () => undefined,
      )
    )
  }

  private judge(
    connection: Connection,
    transit: Transit,
    stage: 'mail' | 'rcpt',
    recipient?: HarakaAddress,
  ): Judgement {
    return judge({
      stage,
      relaying: connection.relaying,
      attribution: transit.attribution,
      snapshot: transit.snapshot,
      sender: transit.standing,
      recipient,
      config: this.config(),
    })
  }

  private answer(connection: Connection, transit: Transit, judgement: Judgement): Answer {
    if (judgement.verdict === 'refuse') {
      this.report.refused(connection, transit, judgement.reason)
      return judgement.reply
    }
    if (judgement.verdict === 'tempfail') {
      this.report.undecided(transit, judgement.reason)
      return judgement.reply
    }
    return undefined
  }

  private charge(connection: Connection, transit: Transit, meter: Meter): Result {
    const engine = this.engine()
    const { attribution, snapshot, standing, transaction } = transit
    if (!engine || attribution.kind !== 'attributed' || !snapshot) return REPLIES.undecidable
    if (transit.hasEnded) return undefined

    const charges = transit.chargesWith(engine.refund)
    const charge = charges.open(attribution.tenant, answeredRecipients(transaction))
    const { domain } = standing
    return engine.ledger
      .charge(
        {
          tenant: attribution.tenant,
          meter,
          transaction: transaction.uuid,
          ordinal: charge.ordinal,
          domainsToken: snapshot.domainsToken,
          names: () => (domain === undefined ? [] : [domain, ...parentsOf(domain)]),
          domain: domain ?? '',
          connector: attribution.connector ?? '',
          ip: connection.remote.ip,
        },
        this.defaultsFor(this.config()),
      )
      .then(
        (result) => this.charged(connection, transit, charges, charge, result),
        (error: unknown) => this.unanswered(transit, charges, charge, error),
      )
  }

  private charged(
    connection: Connection,
    transit: Transit,
    charges: Charges,
    charge: RecipientCharge,
    result: ChargeResult,
  ): Answer {
    const { answer } = result
    charges.close(charge, answer === 'CHARGED' && result.window > 0 ? 'counted' : 'none')
    const outcome = outcomeOf(result)
    let reply: Answer = outcome.reply
    if (answer === 'CHARGED') {
      this.report.charged(connection, transit, result, this.config().allowance.warnAt)
    } else if (answer === 'TRIPPED') {
      this.engine()?.indexRestriction(charge.tenant)
      this.report.tripped(connection, transit, result, connection.remote.ip)
    } else if (outcome.token === 'undecidable') {
      reply = this.uncounted(transit, `charge ${answer.toLowerCase()}`)
    } else if (outcome.reply) {
      this.report.refused(connection, transit, outcome.token)
    }
    // Redis knows better than this process: catch up.
    const directory = this.engine()?.directory
    if (answer === 'TRIPPED' || answer === 'RESTRICTED') {
      directory?.restrictionSeen(charge.tenant, result.scope)
    } else if (result.stale || !EXPECTED.has(answer)) {
      directory?.refresh(charge.tenant)
    }
    return reply
  }

  /** Redis gave no answer: whether the recipient was counted is unknown, until its refund or its message settles it. */
  private unanswered(
    transit: Transit,
    charges: Charges,
    charge: RecipientCharge,
    error: unknown,
  ): Answer {
    charges.close(charge, 'unknown')
    const reply = this.uncounted(transit, redisFailure(error))
    if (reply !== undefined) charges.drop(charge)
    return reply
  }

  /** A recipient that could not be counted passes, or gets a 451. */
  private uncounted(transit: Transit, reason: string): Answer {
    const passes = passesUncounted(transit.snapshot, this.config())
    this.report.undecided(transit, reason, { verdict: passes ? 'pass' : 'tempfail' })
    return passes ? undefined : REPLIES.undecidable
  }

  private defaultsFor(config: Config): Defaults {
    if (this.defaultsFrom !== config || !this.defaults) {
      this.defaultsFrom = config
      this.defaults = defaultsOf(config)
    }
    return this.defaults
  }
}

/** The transaction on its way; begun here where another plugin's OK kept our mail hook from running. */
function transitOf(connection: Connection, session: Session): Transit | undefined {
  const { transaction } = connection
  if (!transaction) return undefined
  if (session.transit?.transaction !== transaction) {
    session.endTransit()
    session.transit = new Transit(transaction)
  }
  return session.transit
}

/** Goes on with a value: at once, where there is nothing to wait for. */
function chain<T, R>(value: T | Promise<T>, next: (value: T) => R | Promise<R>): R | Promise<R> {
  return value instanceof Promise ? value.then(next) : next(value)
}
