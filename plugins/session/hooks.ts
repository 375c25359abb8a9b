import constants from 'haraka-constants'
import type { Config } from '../../src/process/config'
import type { HarakaAddress } from '../../src/names/envelope'
import type { Attribution } from '../../src/decision/attribution'
import type { Engine } from '../../src/process/engine'
import { defaultsOfNow } from '../../src/allowance/defaults'
import { isOwn, judge, type Judgement, type Reason, type Stage } from '../../src/decision/judge'
import { REPLIES } from '../../src/decision/reply'
import { within } from '../../src/base/deadline'
import { addressOf } from '../../src/store/connection'
import type { Directory } from '../../src/directory/directory'
import { LONGEST_ID } from '../../src/mail/identities'
import type { Known } from '../../src/directory/snapshot'
import { Charging } from './charging'
import { findOwner } from './foreign'
import { grantRelay } from './grant'
import type { Answer } from '../kit/guard'
import type { Connection, EnvelopeRecipient, Next, Plugin } from '../kit/haraka'
import { HeaderFrom } from './header-from'
import { proveForward } from './proof'
import { type LogOnce, logTextOnce } from '../kit/log'
import { Recording } from './recording'
import { Report } from './report'
import { Session } from './session'
import { Settling } from './settling'
import { Transit } from './transaction'
import { RedisTroubles } from '../kit/redis-troubles'

type Result = Answer | Promise<Answer>

/** How long a session waits for a tenant that its process meets for the first time, in ms; many commands, if it is large. */
const LOAD_DEADLINE = 5000

const UNDECIDABLE: Attribution = { kind: 'undecidable' }

/** Of what is let through without a charge: what reports count. Own recipients are not relayed. */
const COUNTED: ReadonlySet<Reason> = new Set(['registered', 'tenant-unknown', 'no-tenant'])

/**
 * Our hooks, as Haraka calls them. Registered mail passes through them without waiting and without asking Redis: each
 * runs to its end in one go where all that it needs is known. What waits has a method of its own: a closure makes V8 put
 * the variables of the whole function on the heap, in every call.
 */
export class Hooks {
  private readonly sessions = new WeakMap<Connection, Session>()
  private readonly report: Report
  private readonly charging: Charging
  private readonly settling: Settling
  private readonly recording: Recording
  private readonly headerFrom: HeaderFrom
  private readonly quiet: LogOnce
  /** What the log of this process says of Redis. */
  readonly troubles: RedisTroubles

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
    this.troubles = new RedisTroubles(plugin, addressOf(config().redis))
    const { report, troubles } = this
    const means = { report, config, defaults: defaultsOfNow(config), engine, troubles }
    this.charging = new Charging(means)
    this.settling = new Settling(means, proveForward)
    this.quiet = logTextOnce((line) => plugin.logerror(line))
    this.recording = new Recording(config, engine, this.quiet, (transit) =>
      this.headerFrom.lookAtNull(transit),
    )
    this.headerFrom = new HeaderFrom(
      this.report,
      config,
      (...found) => this.recording.headerFrom(...found),
      (...mail) => this.settling.chargeInstead(...mail),
      this.quiet,
    )
  }

  connect(connection: Connection): undefined {
    this.sessionOf(connection).noteAddress(connection)
    return undefined
  }

  /** helo and ehlo: on ports 587 and 465 a session must relay before MAIL (connection.js, cmd_mail). */
  greet(connection: Connection): Result {
    if (!this.config().attribution.grantRelay || connection.relaying) return undefined
    const session = this.sessionOf(connection)
    const attribution = this.attribution(connection, session)
    if (attribution instanceof Promise) {
      return attribution.then((found) => void grantRelay(connection, session, found))
    }
    grantRelay(connection, session, attribution)
    return undefined
  }

  mail(connection: Connection): Result {
    const session = this.sessionOf(connection)
    this.endTransit(connection, session)
    return this.decide('mail', connection, session)
  }

  rcpt(connection: Connection, [recipient]: readonly [HarakaAddress]): Result {
    return this.decide('rcpt', connection, this.sessionOf(connection), recipient)
  }

  rcptOk(connection: Connection, recipient: HarakaAddress): Result {
    return this.decide('rcpt_ok', connection, this.sessionOf(connection), recipient)
  }

  /** The message is there: what was held for it is charged. */
  dataPost(connection: Connection): Result {
    const transit = this.present(connection)
    if (!transit) return undefined
    transit.dropRefused()
    return transit.findingOwner
      ? this.examineAfter(transit.findingOwner, connection, transit)
      : this.examine(connection, transit)
  }

  /** Whoever comes next is told the class of the message: so it must be known. */
  private async examineAfter(
    finding: Promise<void>,
    connection: Connection,
    transit: Transit,
  ): Promise<Answer> {
    transit.isSettling = true
    await finding
    transit.isSettling = false
    return transit.hasEnded ? undefined : this.examine(connection, transit)
  }

  private examine(connection: Connection, transit: Transit): Result {
    return this.settling.settle(connection, transit) ?? this.headerFrom.check(connection, transit)
  }

  /**
   * The message is about to be taken: what is held still, since another plugin's OK to data_post kept our hook from
   * running, is charged now. Haraka says a refusal with code and text of its own hook (connection.js, queue_respond).
   */
  queue(connection: Connection): Result {
    const transit = this.present(connection)
    return transit && this.settling.settle(connection, transit)
  }

  /** The transaction on its way, as we know it; `undefined`: another one, or none. */
  private present(connection: Connection): Transit | undefined {
    const transit = this.sessions.get(connection)?.transit
    return transit?.transaction === connection.transaction ? transit : undefined
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
    const session = this.sessions.get(connection)
    if (session) this.endTransit(connection, session)
    return undefined
  }

  /** What to answer when something of ours failed: 451 where unmetered mail could pass. Never throws. */
  failed(error: unknown, connection: Connection): Answer {
    try {
      const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
      this.plugin.logcrit(connection, `internal error: ${text}`)
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

  /** Decides one stage of a transaction: at once, where the tenant and the class of the sender are known. */
  private decide(
    stage: Stage,
    connection: Connection,
    session: Session,
    recipient?: HarakaAddress,
  ): Result {
    const transit = this.transitOf(connection, session)
    if (!transit) return undefined
    const learning = this.learn(connection, session, transit)
    return learning === undefined
      ? this.judge(stage, connection, transit, recipient)
      : this.judgeAfter(learning, stage, connection, transit, recipient)
  }

  private judgeAfter(
    learning: Promise<void>,
    ...question: Parameters<Hooks['judge']>
  ): Promise<Answer> {
    return learning.then(() => this.judge(...question))
  }

  /** Finds the tenant of the session and the class of its sender. A promise only where something must be asked for. */
  private learn(
    connection: Connection,
    session: Session,
    transit: Transit,
  ): Promise<void> | undefined {
    const { main, attribution: settings } = this.config()
    if (!settings.grantRelay && (main.override === 'off' || !connection.relaying)) return undefined
    const attribution = this.attribution(connection, session)
    return attribution instanceof Promise
      ? this.standAfter(attribution, connection, session, transit)
      : this.stand(attribution, connection, session, transit)
  }

  private standAfter(
    attribution: Promise<Attribution>,
    ...session: [Connection, Session, Transit]
  ): Promise<void> {
    return attribution.then((found) => this.stand(found, ...session))
  }

  private stand(
    attribution: Attribution,
    connection: Connection,
    session: Session,
    transit: Transit,
  ): Promise<void> | undefined {
    const { main, attribution: settings } = this.config()
    // Under the brake, too: without the grant Haraka itself would refuse the session.
    if (settings.grantRelay) grantRelay(connection, session, attribution)
    if (main.override === 'off') return undefined
    const snapshot = this.snapshotOf(attribution)
    if (snapshot instanceof Promise) return transit.standAfter(attribution, snapshot)
    transit.stand(attribution, snapshot)
    return undefined
  }

  private snapshotOf(attribution: Attribution): Known | Promise<Known> {
    const directory = this.engine()?.directory
    if (attribution.kind !== 'attributed' || !directory) return undefined
    return directory.peek(attribution.tenant) ?? this.loadSnapshot(directory, attribution.tenant)
  }

  private loadSnapshot(directory: Directory, tenant: string): Promise<Known> {
    return within(LOAD_DEADLINE, directory.load(tenant)).then(
      (snapshot) => {
        if (!snapshot) {
          const name = tenant.slice(0, LONGEST_ID)
          this.quiet.say(name, `no such tenant: ${name}`)
        }
        return snapshot ?? null
      },
      () => undefined,
    )
  }

  private judge(
    stage: Stage,
    connection: Connection,
    transit: Transit,
    recipient: HarakaAddress | undefined,
  ): Result {
    const config = this.config()
    if (config.main.override === 'off') return undefined
    const command =
      stage === 'rcpt_ok' && mayCount(transit) ? transit.recipients.ofThisCommand() : undefined
    const judged = command ? counting(command, transit) : recipient
    let judgement = this.judgementOf(stage, connection, transit, judged)
    const refusesForeign = config.foreign.action === 'refuse'
    if (
      judgement.verdict === 'charge' &&
      (stage === 'rcpt_ok' || (refusesForeign && stage === 'rcpt'))
    ) {
      const { standing } = transit
      const finding = this.findOwner(transit)
      if (refusesForeign) {
        if (finding) return this.judgeAfter(finding, stage, connection, transit, recipient)
        if (transit.standing !== standing) {
          judgement = this.judgementOf(stage, connection, transit, judged)
        }
      }
    }
    if (stage === 'rcpt_ok') {
      if (judgement.verdict === 'charge') {
        return this.charging.charge(connection, transit, judgement.meter, command!)
      }
      this.reportUncharged(transit, judgement)
    }
    const answer = this.answer(stage, connection, transit, judgement)
    if (answer === undefined) {
      if (stage === 'rcpt_ok') transit.wave()
    } else if (stage !== 'mail') {
      transit.recipients.takeOut(command ?? transit.recipients.ofThisCommand())
    }
    return answer
  }

  private judgementOf(
    stage: Stage,
    { relaying }: Connection,
    { attribution, snapshot, standing: sender }: Transit,
    recipient: HarakaAddress | undefined,
  ): Judgement {
    const config = this.config()
    return judge({ stage, relaying, attribution, snapshot, sender, recipient, config })
  }

  private findOwner(transit: Transit): Promise<void> | undefined {
    const directory = this.engine()?.directory
    return directory && findOwner(transit, directory)
  }

  /** Only at rcpt_ok: for the other stages nothing was left out that would have had to be counted. */
  private reportUncharged(transit: Transit, { verdict, reason }: Judgement): void {
    if (COUNTED.has(reason)) transit.passed++
    if (verdict === 'ignore') this.report.skip(transit, reason)
    if (verdict === 'pass' && reason === 'tenant-unknown') {
      this.report.undecided(transit, reason, verdict)
    }
  }

  private answer(
    stage: Stage,
    connection: Connection,
    transit: Transit,
    judgement: Judgement,
  ): Answer {
    if (judgement.verdict === 'refuse') {
      if (stage === 'mail') transit.stopped = 'refused'
      else transit.refused++
      this.report.refused(connection, transit, judgement.reason)
      return judgement.reply
    }
    if (judgement.verdict === 'tempfail') {
      if (stage === 'mail') transit.stopped = 'deferred'
      else transit.deferred++
      this.report.undecided(transit, judgement.reason, 'tempfail')
      return judgement.reply
    }
    return undefined
  }

  /** The transaction on its way; begun here where another plugin's OK kept our mail hook from running. */
  private transitOf(connection: Connection, session: Session): Transit | undefined {
    const { transaction } = connection
    if (!transaction) return undefined
    if (session.transit?.transaction !== transaction) {
      this.endTransit(connection, session)
      session.transit = new Transit(transaction)
    }
    return session.transit
  }

  private endTransit(connection: Connection, session: Session): void {
    const transit = session.endTransit()
    if (!transit) return
    if (transit.unseen > 0 && connection.relaying) this.charging.chargeUnseen(connection, transit)
    this.recording.end(connection, session, transit)
  }
}

/** Of registered mail, and of mail that nobody is known to send, no recipient counts. */
function mayCount({ standing }: Transit): boolean {
  return standing.class !== undefined && standing.class !== 'registered'
}

/** The first of them that counts: what is judged of it goes for all. */
function counting(
  command: readonly EnvelopeRecipient[],
  { snapshot }: Transit,
): EnvelopeRecipient | undefined {
  if (command.length === 1 || !snapshot) return command[0]
  return command.find((recipient) => !isOwn(recipient, snapshot)) ?? command[0]
}
